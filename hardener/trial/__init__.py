"""A project on a real engine: brought up from a copy, looked at, compared, and relaxed where it breaks."""
