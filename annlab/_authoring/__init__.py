"""Maintainers' tools: execute and check the notebooks, and make their buttons."""
