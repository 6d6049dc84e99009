"""A kind of destination a module, each with its KIND (gateway.destinations.kind)."""
