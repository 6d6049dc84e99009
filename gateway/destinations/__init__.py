"""Destinations: who is told of a workspace's changes, how it is put, and the sending of it."""
