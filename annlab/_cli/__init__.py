"""The ``annlab`` command: one module for each subcommand, loaded on demand."""
