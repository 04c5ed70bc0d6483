"""`harden.1`: the command line as a man page, in the macros of man(7). Knows how roff is written, and nothing of options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hardener import __version__
from hardener.site.reference import Command, Parameter, commands

_ENVIRONMENT = (
    ("NO_COLOR", "No colour, not on a terminal either."),
    ("COLUMNS", "The width that text is wrapped at."),
    ("HARDEN_DEBUG", "Show where a mistake of ours happened."),
)
_FILES = (
    ("hardener.toml, pyproject.toml", "Settings; in the latter under tool.hardener."),
    ("harden.evidence.yaml", "What runs showed: written by `harden verify --write`, and read beside the files that it is about."),
)


def manual() -> str:
    """The man page, as text that ends its last line."""
    return "\n".join(_lines(commands())) + "\n"


def _lines(all: tuple[Command, ...]) -> Iterator[str]:
    main, *others = all
    tables = {table.title: table for table in main.tables}
    yield f'.TH HARDEN 1 "" "harden {__version__}" "User Commands"'
    first, *more = main.help.split("\n\n")
    yield from (".SH NAME", r"harden \- rewrite container files so that they run with the least privilege that still works")
    yield ".SH SYNOPSIS"
    for number, command in enumerate(all):
        yield from (*([".br"] if number else []), _usage(command))
    yield ".SH DESCRIPTION"
    yield from _paragraphs((first, *more))
    yield ".SH OPTIONS"
    yield from _parameters(main.parameters)
    yield from _item("-h, --help", "Show help: of the program, or of a command that stands before it.")
    yield from _item("--install-completion, --show-completion", "Complete words of the command line in this shell.")
    yield ".SH COMMANDS"
    yield from _paragraphs(("They come as the first word; write ./rules for a folder of that name.",))
    for command in others:
        yield f".SS {_usage(command).removeprefix('.B ')}"
        yield from _paragraphs(command.help.split("\n\n"))
        yield from _parameters(command.parameters)
    yield ".SH EXIT STATUS"
    yield from (line for row in tables["Exit codes"].rows for line in _item(*row))
    yield ".SH ENVIRONMENT"
    yield from (line for row in _ENVIRONMENT for line in _item(*row))
    yield ".SH FILES"
    yield from (line for row in _FILES for line in _item(*row))
    yield ".SH EXAMPLES"
    yield from (line for row in tables["Examples"].rows for line in _item(*row))


def _usage(command: Command) -> str:
    return f".B {escaped(command.usage)}"


def _parameters(parameters: Iterable[Parameter]) -> Iterator[str]:
    panel = ""
    for parameter in parameters:
        if parameter.panel and parameter.panel != panel:
            panel = parameter.panel
            yield f".SS {escaped(panel)}"
        default = f" Default: {parameter.default}." if parameter.default else ""
        yield from _item(parameter.usage, parameter.help + default)


def _item(term: str, text: str) -> Iterator[str]:
    yield from (".TP", f".B {escaped(term)}", prose(text)) if text else (".PP", f".B {escaped(term)}")


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from (".PP", prose(" ".join(text.split())))


def prose(text: str) -> str:
    """Text in which `code` is bold."""
    parts = re.split(r"`([^`]+)`", text)
    line = "".join(rf"\fB{escaped(part)}\fR" if at % 2 else escaped(part) for at, part in enumerate(parts))
    return rf"\&{line}" if line.startswith((".", "'")) else line


def escaped(text: str) -> str:
    """Text that means itself to roff; a hyphen stays one that can be copied."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga").replace('"', r"\(dq")
    return text.replace("^", r"\(ha").replace("~", r"\(ti")


if __name__ == "__main__":
    print(manual(), end="")
