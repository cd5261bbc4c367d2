"""File formats, one to a module: how each is decoded, and written as it was."""
