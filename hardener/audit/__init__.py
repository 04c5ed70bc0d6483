"""The audit: how containers stand towards its questions, in files, in a change, and on an engine. Prints nothing."""
