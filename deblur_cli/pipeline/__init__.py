"""From paths to finished files: find, plan, read, restore, write, remember."""
