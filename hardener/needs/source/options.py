"""Options and operands of a command line, by which options take a value. Knows no command."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hardener.record import NamedTuple


class Options(NamedTuple):
    """A command line taken apart: options with their values (empty for those without one), and the other words."""

    options: tuple[tuple[str, str], ...]
    operands: tuple[str, ...]

    def has(self, *names: str) -> bool:
        """Whether one of these options is given."""
        return any(name in names for name, _ in self.options)

    def values(self, *names: str) -> tuple[str, ...]:
        """The values of these options, in order."""
        return tuple(value for name, value in self.options if name in names)


def parse(words: Sequence[str], valued: Collection[str], *, leading: bool = False) -> Options:
    """Takes words apart as getopt does. `valued` are the options with a value; `leading` ends them at the first operand."""
    options: list[tuple[str, str]] = []
    operands: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            operands += rest
        elif not word.startswith("-") or word == "-":
            operands.append(word)
            if leading:
                operands += rest
        elif word in valued:
            options.append((word, next(rest, "")))
        elif word.startswith("--"):
            name, _, value = word.partition("=")
            options.append((name, value))
        else:
            for at, letter in enumerate(word[1:], 2):
                if f"-{letter}" in valued:
                    options.append((f"-{letter}", word[at:] or next(rest, "")))
                    break
                options.append((f"-{letter}", ""))
    return Options(tuple(options), tuple(operands))
