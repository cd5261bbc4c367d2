"""Measurements, run from the repository: `python -m benchmarks.NAME`."""
