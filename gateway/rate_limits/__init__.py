"""Counters of requests and of failed sign-ins: a file that processes share, or Redis for many hosts."""
