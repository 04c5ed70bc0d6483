"""Compose files read as Compose reads them, into containers. Knows no rule."""
