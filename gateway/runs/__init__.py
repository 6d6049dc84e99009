"""Long jobs that a caller starts and looks after: techniques, and their runs."""
