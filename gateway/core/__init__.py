"""What every other folder may lean on, and that has no word of feedback in it."""
