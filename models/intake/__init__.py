"""The one write: what a delivery does to what is stored, and its commit."""
