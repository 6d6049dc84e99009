"""Files in and out, and the erasure of an author."""
