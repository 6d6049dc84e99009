"""The tables, and what is asked of one row."""
