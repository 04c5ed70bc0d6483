"""harden: rewrite Compose files and Dockerfiles so that they run with the least privilege that still works."""

__version__ = "0.1.0"
