"""Training by recipe: losses, schedule, data, loop and resumable state."""
