"""The least that can be trained."""

from __future__ import annotations

TINY = """
task = "motion"
architecture = "algnet"
[network]
width = 4
encoder_blocks = [1]
decoder_blocks = [1]
global_levels = []
[optimiser]
batch = 1
patch = 32
ema_decay = 0.9
[data]
sharp = "."
[data.shares]
unblurred = 1
"""
"""A recipe for photos that lie in the folder of the data itself."""
