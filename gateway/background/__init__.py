"""What the background worker does, beside the servers."""
