"""What dialects share: reading without trust, texts, times, signatures. No dialect itself."""
