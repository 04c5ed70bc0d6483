"""What a workload needs to keep working, and how that is known."""
