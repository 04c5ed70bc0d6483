"""Fixes written beside the files instead of into them: the difference, as an overlay that the format merges. Knows no rule."""
