"""Objects that are named by URLs, as files are by paths."""
