"""YAML text to a tree with exact spans, and operations on the tree to edits of the text."""

from hardener.syntax.yaml.data import expected, plain
from hardener.syntax.yaml.edit import edits
from hardener.syntax.yaml.operations import Append, CannotEdit, Commented, Operation, Put, Remove, Value, commented
from hardener.syntax.yaml.reader import parse
from hardener.syntax.yaml.tree import (
    Alias,
    Document,
    Mapping,
    Node,
    Pair,
    Route,
    Scalar,
    Sequence,
    Stream,
    YamlError,
    children,
    node_at,
)

__all__ = [
    "Alias",
    "Append",
    "CannotEdit",
    "Commented",
    "Document",
    "Mapping",
    "Node",
    "Operation",
    "Pair",
    "Put",
    "Remove",
    "Route",
    "Scalar",
    "Sequence",
    "Stream",
    "Value",
    "YamlError",
    "children",
    "commented",
    "edits",
    "expected",
    "node_at",
    "parse",
    "plain",
]
