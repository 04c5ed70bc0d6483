"""The typer application: help, completion and every mistake on the command line. Understands, and does nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal

import typer

from hardener.cli.options import CHOICE, COMMANDS, FLAG, LIST, OPTIONS, Invocation, Option

PROGRAM = "harden"
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

[bold]Exit codes[/bold]
0   nothing to do, or all written
1   a fix would be applied, or a finding remains (see --fail-on)
2   something could not be read or edited, or the command line is wrong
3   a mistake of ours"""

#: What the command line asks for: run it for the exit code.
Action = Callable[[], int]


def understand(arguments: Sequence[str], run: Callable[[Invocation], int]) -> Action | int:
    """The action that the arguments ask for, or the exit code where help, completion or an error answered them."""
    chosen: list[Action] = []
    completing, first = _completing(arguments)
    application = _commands(chosen) if first in COMMANDS else _main(chosen, run)
    try:
        application([] if completing else list(arguments), prog_name=PROGRAM)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 2
        return chosen[0] if chosen and not code else code
    return chosen[0]


def applications() -> tuple[typer.Typer, typer.Typer]:
    """The application of `harden [PATHS]`, and that of its commands, for what describes them; nothing is run."""
    return _main([], lambda _: 0), _commands([])


def _completing(arguments: Sequence[str]) -> tuple[bool, str]:
    """Whether a shell asks for completions, and the first word after the program's name."""
    if "_HARDEN_COMPLETE" not in os.environ:
        return False, arguments[0] if arguments else ""
    words = (os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS") or "").split()
    # While it is still being typed, it is for the main command to complete.
    return True, words[1] if len(words) > 2 or (len(words) == 2 and os.environ.get("COMP_CWORD") == "2") else ""


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, **settings)


def _main(chosen: list[Action], run: Callable[[Invocation], int]) -> typer.Typer:
    application = _typer(context_settings={"help_option_names": ["-h", "--help"]})

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
    application.command(help=_HELP, epilog=_EPILOG)(harden)
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
    completion = _rule_ids if option.metavar == "RULE" else None
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


def _commands(chosen: list[Action]) -> typer.Typer:
    application = _typer(add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})

    # What typer is to read must be objects by now: the names here are local.
    form_option = typer.Option("--format", help="The form of the answer.")

    def rules(form: str = "text") -> None:
        from hardener.cli import rules as command

        chosen.append(lambda: command.run(form))

    rules.__annotations__["form"] = Annotated[Literal["text", "json"], form_option]
    application.command(help="List the hazards that harden knows, the worst first.")(rules)

    rule_argument = typer.Argument(
        help="The id of a rule; `harden rules` lists them.", autocompletion=_rule_ids, metavar="RULE..."
    )

    def explain(rule: list[str], form: str = "text") -> None:
        from hardener.cli import explain as command

        chosen.append(lambda: command.run(rule, form))

    explain.__annotations__ |= {
        "rule": Annotated[list[str], rule_argument],
        "form": Annotated[Literal["text", "markdown"], form_option],
    }
    application.command(help="Explain a hazard: the attack, what may break, what we do, an example, the sources.")(explain)

    image_argument = typer.Argument(help="An image such as postgres:16; without one, all are listed.", metavar="[IMAGE]")
    folder_option = typer.Option("--profiles", metavar="FOLDER", help="Also the profiles in this folder.")

    def profiles(image: str = "", folders: list[str] = []) -> None:  # noqa: B006
        from hardener.cli import profiles as command

        chosen.append(lambda: command.run(image, folders))

    profiles.__annotations__ |= {"image": Annotated[str, image_argument], "folders": Annotated[list[str], folder_option]}
    application.command(help="Show what is known about an image, item by item with its source, or list all.")(profiles)

    paths_argument = typer.Argument(metavar="PATHS", help="Files and folders. Default: this folder.")

    def needs(paths: list[str] = [], format: str = "text", folders: list[str] = []) -> None:  # noqa: B006
        from hardener.cli import needs as command

        chosen.append(lambda: command.run(paths or [], format, folders))

    needs.__annotations__ |= {
        "paths": Annotated[list[str], paths_argument],
        "format": Annotated[Literal["text", "json"], form_option],
        "folders": Annotated[list[str], folder_option],
    }
    application.command(help="Show what each container needs to keep working, how that is known, and what is not.")(needs)

    place_argument = typer.Argument(metavar="FILE:LINE", help="A line of a Compose file, manifest or Dockerfile.")

    def why(place: str, folders: list[str] = []) -> None:  # noqa: B006
        from hardener.cli import why as command

        chosen.append(lambda: command.run(place, folders))

    why.__annotations__ |= {"place": Annotated[str, place_argument], "folders": Annotated[list[str], folder_option]}
    application.command(help="Show the evidence for a setting that stands in a file.")(why)
    _add_verify(application, chosen, folder_option)
    return application


_VERIFY = """Prove on a real Docker engine that the hardened project still works, and back off exactly what breaks.

It builds and runs what the project contains, on a copy, under a name of its own, on empty volumes, and takes all of it away
again. First as it is, twice; then with the strictest set of fixes, relaxed by what it shows until it does its job."""


def _add_verify(application: typer.Typer, chosen: list[Action], folder_option: Any) -> None:
    """The command that runs things: the one with options of its own."""
    annotations: dict[str, Any] = {
        "path": Annotated[str, typer.Argument(metavar="[DIR]", help="The project: a folder, a Compose file or a Dockerfile.")],
        "files": Annotated[
            list[str], typer.Option("--file", "-f", metavar="FILE", help="A Compose file (repeat to lay one over another).")
        ],
        "probes": Annotated[
            list[str],
            typer.Option(
                "--probe",
                metavar="CMD",
                help="A shell command that ends with 0 when the stack does its job: here, with COMPOSE_FILE, "
                "COMPOSE_PROJECT_NAME, HARDEN_PHASE and HARDEN_ADDRESS set, or `in SERVICE: CMD` (repeat for more).",
            ),
        ],
        "write": Annotated[bool, typer.Option("--write", help="Write what was proved, and what was seen.")],
        "diff": Annotated[bool, typer.Option("--diff", help="Print what was proved as a unified diff.")],
        "unsafe_fixes": Annotated[
            bool, typer.Option("--unsafe-fixes", help="Try also what existing data or load may not bear: see the report.")
        ],
        "budget": Annotated[str, typer.Option("--budget", metavar="TIME", help="How long it may take: 90s, 10m, 1h.")],
        "keep_logs": Annotated[str, typer.Option("--keep-logs", metavar="FOLDER", help="Keep the logs of what failed there.")],
        "allow_socket": Annotated[
            bool,
            typer.Option("--allow-socket", help="Run services that get the engine's socket: they may do anything."),
        ],
        "compose": Annotated[str, typer.Option("--compose", metavar="CMD", help="The command that is Docker Compose v2.")],
        "folders": Annotated[list[str], folder_option],
    }

    def verify(
        path: str = ".",
        files: list[str] = [],  # noqa: B006
        probes: list[str] = [],  # noqa: B006
        write: bool = False,
        diff: bool = False,
        unsafe_fixes: bool = False,
        budget: str = "10m",
        keep_logs: str = "",
        allow_socket: bool = False,
        compose: str = "",
        folders: list[str] = [],  # noqa: B006
    ) -> None:
        from hardener.cli import verify as command

        asked = command.Asked(path, files, probes, write, diff, unsafe_fixes, budget, keep_logs, allow_socket, compose, folders)
        chosen.append(lambda: command.run(asked))

    verify.__annotations__ |= annotations
    application.command(help=_VERIFY)(verify)


def _first_words(incomplete: str) -> list[str]:
    """Commands; the shell adds files itself where this is empty."""
    return [command for command in COMMANDS if incomplete and command.startswith(incomplete)]


def _rule_ids(incomplete: str) -> list[str]:
    from hardener.rules import load

    return [rule.id for rule in load() if rule.id.startswith(incomplete)]
