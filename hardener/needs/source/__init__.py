"""What programs do, read from their scripts, their source and their configuration. Knows no container and no rule."""
