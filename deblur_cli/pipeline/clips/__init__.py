"""Videos: frames restored in segments that survive, and joined with everything else of the file."""
