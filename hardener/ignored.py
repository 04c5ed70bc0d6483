"""What git ignores. Knows the rules of .gitignore files; the shape of one pattern is pathspec's."""

from __future__ import annotations

import os
import warnings
from math import comb

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from hardener.record import NamedTuple

#: A pattern that could take more steps than this on a path is left out: then a file is read that git would ignore.
MAX_STEPS = 10_000_000
MAX_BYTES = 1 << 20


class _Pattern(NamedTuple):
    pattern: GitIgnoreSpecPattern
    #: It has a slash before its end, and so is about the path from its own folder on, not about the last name.
    anchored: bool
    #: `folder/**` is about what is in the folder, not about the folder.
    inside: bool
    stars: int


class Ignored:
    """The rules of one file of patterns, on top of those around it; the innermost file that has a say decides.

    A pattern is asked about the path itself and never about its folders, as git does: who walks a tree never
    enters an ignored folder. `pathspec.GitIgnoreSpec` answers for the folders as well, and so takes
    `*` with `!*/` for a reason to skip every folder.
    """

    __slots__ = ("_around", "_base", "_patterns")

    def __init__(self, lines: list[str], base: str, around: Ignored | None = None) -> None:
        self._base = len(base.rstrip(os.sep)) + 1
        self._around = around
        self._patterns: list[_Pattern] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # for `[[]`, which is fine here
            for line in reversed(lines):
                body = line.removeprefix("!").rstrip()
                if not body.strip("/"):
                    continue  # to git, `/` matches nothing
                try:
                    pattern = GitIgnoreSpecPattern(line)
                except ValueError:
                    continue  # git, too, passes over a pattern that it cannot read
                if pattern.include is not None:
                    self._patterns.append(_Pattern(pattern, "/" in body.rstrip("/"), body.endswith("/**"), body.count("*")))

    @classmethod
    def read(cls, path: str, base: str, around: Ignored | None = None) -> Ignored | None:
        """The rules in a file, for what is below `base`; those around it where the file cannot be read."""
        try:
            with open(path, "rb") as file:
                text = file.read(MAX_BYTES).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        except OSError:
            return around
        return cls(text.replace("\r\n", "\n").split("\n"), base, around)

    def file(self, path: str) -> bool:
        """Whether a file is ignored, given that no folder around it is."""
        return self._decide(path, "")

    def folder(self, path: str) -> bool:
        """Whether a folder is ignored, given that no folder around it is."""
        return self._decide(path, "/")

    def _decide(self, path: str, mark: str) -> bool:
        rules: Ignored | None = self
        while rules is not None:
            whole = path[rules._base :].replace(os.sep, "/") + mark
            last = whole[whole.rfind("/", 0, len(whole) - 1) + 1 :]
            for pattern, anchored, inside, stars in rules._patterns:
                subject = whole if anchored else last
                if inside:
                    subject = subject.removesuffix("/")
                if stars > 2 and comb(len(subject), stars) > MAX_STEPS:
                    continue
                match = pattern.match_file(subject)
                if match is None:
                    continue
                marked = match.match.groupdict().get("ps_d")
                if marked is None or match.match.end("ps_d") == len(subject):
                    return bool(pattern.include)
            rules = rules._around
        return False
