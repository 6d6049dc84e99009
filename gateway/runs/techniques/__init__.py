"""A technique a module, each with its TECHNIQUE (gateway.runs.technique)."""
