"""Checks and measurements on a GPU, from a bare checkout: `python -m benchmarks.gpu`."""
