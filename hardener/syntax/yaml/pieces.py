"""Single insertions, replacements and removed lines of one text, joined into edits that do not touch. Knows no YAML."""

from __future__ import annotations

from hardener.source import Edit
from hardener.syntax.yaml.layout import line_end, line_start


class Pieces:
    """Edits in the making. At one place, what is inserted first comes first: visit the inside of a value before its end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._inserted: dict[int, str] = {}
        self._replaced: list[Edit] = []
        self._removed: list[tuple[int, int]] = []

    def insert(self, at: int, text: str) -> None:
        """New text at an offset, behind what is inserted there already."""
        self._inserted[at] = self._inserted.get(at, "") + text

    def replace(self, start: int, end: int, text: str) -> None:
        """New text in the place of a span."""
        if start == end:
            self.insert(start, text)
        elif self._text[start:end] != text:
            self._replaced.append(Edit(start, end, text))

    def remove_lines(self, start: int, end: int) -> None:
        """Whole lines gone, from the start of the first to the start of what follows the last."""
        self._removed.append((start, end))

    def edits(self) -> list[Edit]:
        """All of it, sorted, with what meets at one offset joined."""
        found: list[Edit] = [*self._replaced, *self._merged_removals()]
        by_start = {edit.start: edit for edit in found}
        for at, text in self._inserted.items():
            other = by_start.get(at)
            if other is None:
                by_start[at] = Edit(at, at, text)
            else:
                by_start[at] = Edit(at, other.end, text + other.text)
        return [by_start[start] for start in sorted(by_start)]

    def _merged_removals(self) -> list[Edit]:
        merged: list[tuple[int, int]] = []
        for start, end in sorted(self._removed):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        if merged and merged[-1][1] == len(self._text):
            start = merged.pop()[0]
            while True:
                # No blank lines are left at the end of the file.
                while start and line_end(self._text, previous := line_start(self._text, start - 1)) == previous:
                    start = previous
                if not merged or merged[-1][1] < start:
                    break
                start = merged.pop()[0]
            if start and self._text[-1] != "\n":
                # A file without final newline stays without one.
                start = line_end(self._text, line_start(self._text, start - 1))
            merged.append((start, len(self._text)))
        return [Edit(start, end, "") for start, end in merged]
