"""The trunk: takes feedback through the dialects in `adapters`, labels it, stores it in `models`."""

__version__ = "0.1.0"
