"""Files that come with feedback: their bytes, kinds and quota, and the removal of what nobody has."""
