"""Restoring whole pictures: tiles, memory, precision and the guard around a network."""
