"""The tasks as operations: a form with one file (or some), a task run on it, a typed answer."""
