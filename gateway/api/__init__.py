"""The native API: what programs ask, within the caller's workspace."""
