"""Dockerfiles as groups (being written)."""
def dockerfile_groups(sources, builders, tree, troubles):
    return iter(())
