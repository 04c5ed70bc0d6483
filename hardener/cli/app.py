"""The typer application: help, completion and every mistake on the command line. Understands, and does nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal

import typer

from hardener.cli.commands import Action, add_commands, rule_ids
from hardener.cli.options import CHOICE, COMMANDS, FLAG, LIST, OPTIONS, PROGRAM, Invocation, Option

_HELP = """Rewrite Compose files, Kubernetes manifests and Dockerfiles so that they run with the least privilege that still works.

Without an option: report what is found, what would be changed, and why that is safe. Nothing is written."""
_EPILOG = """[bold]Examples[/bold]
harden                            report on everything below this folder
harden --diff docker/             show the fixes; pipe them into `git apply`
harden --write compose.yaml       write them
harden --check --fail-on medium   one line per finding, for CI
harden --diff --stdin-filename compose.yaml - < compose.yaml

[bold]Other commands[/bold] (as the first word; write ./rules for a folder of that name)
harden rules                      list the hazards
harden explain RULE               explain one
harden profiles [IMAGE]           what is known about images, with its sources
harden needs [PATHS]              what each container needs, how that is known, and what is not
harden why FILE:LINE              the evidence for a setting that stands there
harden verify [DIR]               run the project on your Docker engine, and back off what breaks
harden audit [PATHS]              how each container stands, before and after; also of an engine or a change
harden pr [DIR]                   open pull requests for the fixes; with --dry-run, say what they would be
harden config [PATH]              the configuration that holds there, and where it says so
harden init [DIR]                 write a commented hardener.toml that fits the repository

[bold]Exit codes[/bold]
0   nothing to do, or all written
1   a fix would be applied, or a finding remains (see --fail-on)
2   something could not be read or edited, or the command line is wrong
3   a mistake of ours"""


def understand(arguments: Sequence[str], run: Callable[[Invocation], int], program: str = PROGRAM) -> Action | int:
    """The action that the arguments ask for, or the exit code where help, completion or an error answered them."""
    chosen: list[Action] = []
    completing, first = _completing(arguments)
    application = _commands(chosen, completing) if first in COMMANDS else _main(chosen, run, program)
    try:
        application([] if completing else list(arguments), prog_name=program)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 2
        return chosen[0] if chosen and not code else code
    return chosen[0]


def applications() -> tuple[typer.Typer, typer.Typer]:
    """The application of `harden [PATHS]`, and that of its commands, for what describes them; nothing is run."""
    return _main([], lambda _: 0, PROGRAM), _commands([], completing=False)


def _completing(arguments: Sequence[str]) -> tuple[bool, str]:
    """Whether a shell asks for completions, and the first word after the program's name."""
    if "_HARDEN_COMPLETE" not in os.environ:
        return False, arguments[0] if arguments else ""
    typed = os.environ.get("_TYPER_COMPLETE_ARGS")  # of zsh and fish: the line up to the cursor
    words = (typed or os.environ.get("COMP_WORDS") or "").split()
    begun = typed[-1:].isspace() if typed else os.environ.get("COMP_CWORD") == "2"
    # While it is still being typed, it is for the main command to complete.
    return True, words[1] if len(words) > 2 or (len(words) == 2 and begun) else ""


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, **settings)


def _main(chosen: list[Action], run: Callable[[Invocation], int], program: str) -> typer.Typer:
    # A shell completes what it starts itself; what Docker starts, Docker's own completion would have to ask for.
    application = _typer(add_completion=program == PROGRAM, context_settings={"help_option_names": ["-h", "--help"]})

    def harden(paths: list[str], **values: Any) -> None:
        lists = {option.field for option in OPTIONS if option.kind == LIST}
        settled: dict[str, Any] = {
            # A choice without a default is None where none was made.
            field: tuple(value or ()) if field in lists else "" if value is None else value
            for field, value in values.items()
        }
        chosen.append(lambda: run(Invocation(tuple(paths or ()), **settled)))

    harden.__signature__ = Signature([_paths(), *map(_parameter, OPTIONS)])  # type: ignore[attr-defined]
    harden.__annotations__ = {}
    lines = _EPILOG.split("\n")
    epilog = "\n".join(program + line[len(PROGRAM) :] if line.startswith(PROGRAM) else line for line in lines)
    application.command(help=_HELP, epilog=epilog)(harden)
    return application


def _paths() -> Parameter:
    about = "Files and folders; - is standard input. Default: this folder."
    argument = typer.Argument(metavar="PATHS", help=about, autocompletion=_first_words)
    return Parameter("paths", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Annotated[list[str], argument])


def _parameter(option: Option) -> Parameter:
    default = list(option.default) if option.kind == LIST else None if option.default == "" else option.default
    return Parameter(option.field, Parameter.KEYWORD_ONLY, default=default, annotation=_annotation(option))


def _annotation(option: Option) -> Any:
    kind: Any = {FLAG: bool, LIST: list[str]}.get(option.kind, str)
    if option.kind == CHOICE:
        kind = Literal[option.choices]
    completion = rule_ids if option.metavar == "RULE" else None
    return Annotated[
        kind,
        typer.Option(
            option.flag,
            help=option.help,
            metavar=option.metavar or None,
            rich_help_panel=option.panel,
            autocompletion=completion,
            show_default=option.kind == CHOICE,
        ),
    ]


def _commands(chosen: list[Action], completing: bool) -> typer.Typer:
    # Completion is installed by the main command; but without this, typer knows no shell that asks.
    application = _typer(add_completion=completing, context_settings={"help_option_names": ["-h", "--help"]})
    add_commands(application, chosen)
    return application


def _first_words(incomplete: str) -> list[str]:
    """Commands; the shell adds files itself where this is empty."""
    return [command for command in COMMANDS if incomplete and command.startswith(incomplete)]
