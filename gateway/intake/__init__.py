"""The steps of the straight line (gateway.ingest), and how many items go it at once."""
