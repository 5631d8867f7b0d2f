"""The version of annlab."""

__version__ = "0.1.0"
