"""Dockerfiles: read by BuildKit's grammar, edited by operations that name instructions. Knows no container."""

from __future__ import annotations

from hardener.syntax.dockerfile.edit import Drop, Insert, Operation, Replace, edits, expected, speaking_comments
from hardener.syntax.dockerfile.model import Comment, Dockerfile, DockerfileError, Heredoc, Instruction, Plain, Stage, Word, plain
from hardener.syntax.dockerfile.scan import parse
from hardener.syntax.dockerfile.twin import second_opinion
from hardener.syntax.dockerfile.variables import resolve

__all__ = [
    "Comment",
    "Dockerfile",
    "DockerfileError",
    "Drop",
    "Heredoc",
    "Insert",
    "Instruction",
    "Operation",
    "Plain",
    "Replace",
    "Stage",
    "Word",
    "edits",
    "expected",
    "parse",
    "plain",
    "resolve",
    "second_opinion",
    "speaking_comments",
]
