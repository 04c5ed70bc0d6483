"""Text to structure and back, one format each: exact places, symbolic edits. Knows no container."""
