"""Long jobs that somebody starts, and what is told of their end."""
