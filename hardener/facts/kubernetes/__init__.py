"""Kubernetes manifests: what they ask for, in the vocabulary of containers. Knows no rule."""
