"""The documentation as a site and as a man page, made from docstrings, fixtures and the command line. Knows no facts."""
