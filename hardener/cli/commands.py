"""The commands of `harden`, beside the plain `harden [PATHS]`: their arguments and options, and which module does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

#: What the command line asks for: run it for the exit code.
Action = Callable[[], int]


def add_commands(application: typer.Typer, chosen: list[Action]) -> None:
    """Add every command to an application; the one that is called leaves its action in `chosen`."""

    @application.command(help="List the hazards that harden knows.")
    def rules() -> None:
        from hardener.cli import rules as command

        chosen.append(command.run)

    # What typer is to read must be objects by now: the names here are local.
    rule_argument = typer.Argument(help="The id of a rule; `harden rules` lists them.", autocompletion=rule_ids)

    def explain(rule: str) -> None:
        from hardener.cli import explain as command

        chosen.append(lambda: command.run(rule))

    explain.__annotations__["rule"] = Annotated[str, rule_argument]
    application.command(help="Explain one hazard: what it is, why it matters, and what the repair does.")(explain)

    image_argument = typer.Argument(help="An image such as postgres:16; without one, all are listed.", metavar="[IMAGE]")
    folder_option = typer.Option("--profiles", metavar="FOLDER", help="Also the profiles in this folder.")

    def profiles(image: str = "", folders: list[str] = []) -> None:  # noqa: B006
        from hardener.cli import profiles as command

        chosen.append(lambda: command.run(image, folders))

    profiles.__annotations__ |= {"image": Annotated[str, image_argument], "folders": Annotated[list[str], folder_option]}
    application.command(help="Show what is known about an image, item by item with its source, or list all.")(profiles)

    paths_argument = typer.Argument(metavar="PATHS", help="Files and folders. Default: this folder.")
    form_option = typer.Option("--format", help="The form of the answer.")

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


def rule_ids(incomplete: str) -> list[str]:
    """The rules whose ids begin so, for completion; of several with commas between, for the last."""
    from hardener.rules import load

    before, comma, begun = incomplete.rpartition(",")
    return [before + comma + rule.id for rule in load() if rule.id.startswith(begun)]
