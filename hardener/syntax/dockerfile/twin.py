"""A second opinion on a Dockerfile by `dockerfile-parse`, which reads a masked twin. Knows no change."""

from __future__ import annotations

from hardener.syntax.dockerfile.model import Dockerfile
from hardener.syntax.dockerfile.words import SPACE


def second_opinion(dockerfile: Dockerfile) -> str | None:
    """Where `dockerfile-parse` sees something else in the file, as a sentence; None where both agree.

    Costs an import: to be asked only when an edit is about to be made.
    """
    import io

    from dockerfile_parse import DockerfileParser

    parser = DockerfileParser(fileobj=io.BytesIO(masked(dockerfile).encode("utf-8", "replace")), env_replace=False)
    theirs = [item for item in parser.structure if item["instruction"] != "COMMENT"]
    for ours, other in zip(dockerfile.instructions, theirs, strict=False):
        value = ours.logical.strip(SPACE)[len(ours.keyword) :]
        line = other["startline"] + 1
        if (ours.line, ours.keyword) != (line, other["instruction"]):
            return f"line {min(ours.line, line)}: read as {ours.keyword} here and as {other['instruction']} by dockerfile-parse"
        if value.split() != other["value"].split() or (not ours.dangling and ours.head_last_line != other["endline"] + 1):
            return f"line {line}: dockerfile-parse reads {ours.keyword} differently"
    if len(theirs) != len(dockerfile.instructions):
        return f"{len(dockerfile.instructions)} instructions here, {len(theirs)} for dockerfile-parse"
    return None


def masked(dockerfile: Dockerfile) -> str:
    """The file with as many lines, without what `dockerfile-parse` is known to misread.

    Here-documents and blank lines within continuations become comments, line endings LF; a continuation that the end of
    the file cuts off is none.
    """
    lines = [line.rstrip("\r") for line in dockerfile.text.split("\n")]
    for item in dockerfile.instructions:
        for number in range(item.head_last_line, item.last_line):
            lines[number] = "#"
        last = item.line - 1
        for number in range(item.line, item.head_last_line):
            body = lines[number].lstrip(SPACE)
            if not body:
                lines[number] = "#"
            elif body[0] != "#":
                last = number
        if item.dangling:
            lines[last] = lines[last].rstrip(" \t")[:-1]
    return "\n".join(lines)
