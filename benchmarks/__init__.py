"""Measurements that print ratios taken in one run: `python -m benchmarks` writes RESULTS.md."""
