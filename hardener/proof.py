"""Makes changes to texts and proves that only what was planned has changed. Knows no rule and no container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from hardener.errors import CannotWrite, HardenError
from hardener.finding import Change
from hardener.source import Edit, Source, splice


class ProofFailed(HardenError):
    """The changed text does not say exactly what was planned. The text before is still there."""


class Syntax(Protocol):
    """What a file format offers for safe changes (see `hardener.syntax`)."""

    def parse(self, text: str, /) -> Any:
        """The structure of a text."""

    def edits(self, tree: Any, operations: Sequence[Any], /) -> list[Edit]:
        """The edits that carry out operations. Raises `CannotWrite` where one cannot be carried out safely."""

    def plain(self, tree: Any, /) -> object:
        """What the text says, comparable with `==`."""

    def expected(self, tree: Any, operations: Sequence[Any], /) -> object:
        """What the changed text must say; computed without the edits."""


def syntax_of(sees: str) -> Syntax:
    """The syntax of the files that hold stages or containers."""
    if sees == "stage":
        from hardener.syntax import dockerfile

        return dockerfile
    from hardener.syntax import yaml

    return yaml


def apply(files: Mapping[str, tuple[Source, Any]], syntax: Syntax, changes: Iterable[Change]) -> dict[str, tuple[Source, Any]]:
    """The changed files with their trees, by path; files without a change are not among them.

    Raises `CannotWrite` where a change cannot be made safely, and `ProofFailed` where the result is not what was planned.
    """
    by_path: dict[str, list[Any]] = {}
    there: dict[tuple[str, object], list[Any]] = {}
    for change in changes:
        # A comment is at no route, and is told by its words.
        place = getattr(change.operation, "route", None) or getattr(change.operation, "text", None)
        same_place = there.setdefault((change.path, place if isinstance(place, (str, tuple)) else None), [])
        if change.operation not in same_place:
            same_place.append(change.operation)
            by_path.setdefault(change.path, []).append(change.operation)
    return {path: _change(*files[path], syntax, operations) for path, operations in by_path.items()}


def _change(source: Source, before: Any, syntax: Syntax, operations: Sequence[Any]) -> tuple[Source, Any]:
    text = splice(source.text, syntax.edits(before, operations))
    try:
        after = syntax.parse(text)
    except CannotWrite:
        raise
    except HardenError as error:
        raise ProofFailed(f"{source.path}: the changed text cannot be read: {error}") from None
    if syntax.plain(after) != syntax.expected(before, operations):
        raise ProofFailed(f"{source.path}: the changed text says something else than planned")
    return source.with_text(text), after
