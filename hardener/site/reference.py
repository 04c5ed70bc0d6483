"""The command line as values: commands, their arguments and options, read from what typer is given. Knows no markup."""

from __future__ import annotations

import re
from inspect import signature
from typing import Any, Literal, get_args, get_origin

from hardener.record import NamedTuple


class Parameter(NamedTuple):
    """An argument or an option."""

    #: Its flags; none for an argument.
    flags: tuple[str, ...]
    #: What stands for its value; empty for a switch.
    metavar: str
    help: str
    #: Under which heading help has it; empty where there is none.
    panel: str = ""
    default: str = ""
    required: bool = False

    @property
    def usage(self) -> str:
        """How it is written: `--format text|json`, `PATHS`."""
        return f"{', '.join(self.flags)} {self.metavar}".strip()


class Table(NamedTuple):
    """A titled list of what is written and what that means, such as the examples or the exit codes."""

    title: str
    note: str
    rows: tuple[tuple[str, str], ...]


class Command(NamedTuple):
    """`harden [PATHS]`, whose name is empty, or one of the commands."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    tables: tuple[Table, ...] = ()

    @property
    def usage(self) -> str:
        """The line that shows how it is called."""
        options = ["[OPTIONS]"] if self.options else []
        words = (one.metavar if one.required else f"[{one.metavar.strip('[]')}]" for one in self.arguments)
        return " ".join(["harden", *([self.name] if self.name else []), *options, *words])

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        """What stands without a flag."""
        return tuple(parameter for parameter in self.parameters if not parameter.flags)

    @property
    def options(self) -> tuple[Parameter, ...]:
        """What has flags."""
        return tuple(parameter for parameter in self.parameters if parameter.flags)


def commands() -> tuple[Command, ...]:
    """The main command, then the others in the order of help."""
    from hardener.cli.app import applications

    return tuple(_command(info, main=not at) for at, app in enumerate(applications()) for info in app.registered_commands)


def _command(info: Any, *, main: bool) -> Command:
    name = "" if main else info.name or info.callback.__name__.replace("_", "-")
    parameters = tuple(_parameter(one) for one in signature(info.callback).parameters.values())
    return Command(name, info.help or "", parameters, _tables(info.epilog or ""))


def _parameter(parameter: Any) -> Parameter:
    from typer.models import OptionInfo

    kind, info = get_args(parameter.annotation)
    # In an annotation, typer takes what stands where a default would for the first flag.
    flags = (str(info.default), *(info.param_decls or ())) if isinstance(info, OptionInfo) else ()
    if get_origin(kind) is Literal:
        metavar = "|".join(get_args(kind))
    else:
        metavar = info.metavar or ("" if kind is bool else parameter.name.upper())
    default = parameter.default if flags and isinstance(parameter.default, str) else ""
    return Parameter(flags, metavar, info.help or "", info.rich_help_panel or "", default, parameter.default is parameter.empty)


def _tables(epilog: str) -> tuple[Table, ...]:
    """An epilog is blocks: a line with a title in [bold] and perhaps a note behind it, then rows of two columns."""
    tables = []
    for block in epilog.split("\n\n"):
        head, *rows = block.splitlines() or [""]
        title = re.fullmatch(r"\[bold\](.*?)\[/bold\](.*)", head)
        if title:
            cells = (re.split(r"\s{2,}", row, maxsplit=1) for row in rows)
            tables.append(Table(title[1], title[2].strip(), tuple((cell[0], "".join(cell[1:])) for cell in cells)))
    return tuple(tables)
