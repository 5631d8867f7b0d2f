"""What only maintainers run: execute and check the notebooks, and make their buttons."""
