"""Weights: which there are, where they lie, and loading them once they are verified."""
