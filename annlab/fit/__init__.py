"""The engine. Read `lloyd`, then `searches`, then `run`."""
