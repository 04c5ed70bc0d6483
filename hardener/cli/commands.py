"""The commands of `harden`, beside the plain `harden [PATHS]`: their arguments and options, and which module does the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from hardener.cli.command_pr import add_pr
from hardener.scopes import Chosen

#: What the command line asks for: run it for the exit code.
Action = Callable[[], int]


def add_commands(application: typer.Typer, chosen: list[Action]) -> None:
    """Add every command to an application; the one that is called leaves its action in `chosen`."""

    # What typer is to read must be objects by now: the names here are local.
    form_option = typer.Option("--format", help="The form of the answer.")

    def rules(form: str = "text") -> None:
        from hardener.cli import rules as command

        chosen.append(lambda: command.run(form))

    rules.__annotations__["form"] = Annotated[Literal["text", "json"], form_option]
    application.command(help="List the hazards that harden knows, the worst first.")(rules)

    rule_argument = typer.Argument(
        help="The id of a rule; `harden rules` lists them.", autocompletion=rule_ids, metavar="RULE..."
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

    config_option = typer.Option("--config", metavar="FILE", help="This configuration, not the nearest.")
    isolated_option = typer.Option("--isolated", help="No configuration at all.")
    whose = {
        "folders": Annotated[list[str], folder_option],
        "config": Annotated[str, config_option],
        "isolated": Annotated[bool, isolated_option],
    }

    def profiles(image: str = "", folders: list[str] = [], config: str = "", isolated: bool = False) -> None:  # noqa: B006
        from hardener.cli import profiles as command

        chosen.append(lambda: command.run(image, folders, Chosen(config, isolated)))

    profiles.__annotations__ |= {"image": Annotated[str, image_argument], **whose}
    application.command(help="Show what is known about an image, item by item with its source, or list all.")(profiles)

    paths_argument = typer.Argument(metavar="PATHS", help="Files and folders. Default: this folder.")

    def needs(
        paths: list[str] = [],  # noqa: B006
        format: str = "text",
        folders: list[str] = [],  # noqa: B006
        config: str = "",
        isolated: bool = False,
    ) -> None:
        from hardener.cli import needs as command

        chosen.append(lambda: command.run(paths or [], format, folders, Chosen(config, isolated)))

    needs.__annotations__ |= {
        "paths": Annotated[list[str], paths_argument],
        "format": Annotated[Literal["text", "json"], form_option],
        **whose,
    }
    application.command(help="Show what each container needs to keep working, how that is known, and what is not.")(needs)

    place_argument = typer.Argument(metavar="FILE:LINE", help="A line of a Compose file, manifest or Dockerfile.")

    def why(place: str, folders: list[str] = [], config: str = "", isolated: bool = False) -> None:  # noqa: B006
        from hardener.cli import why as command

        chosen.append(lambda: command.run(place, folders, Chosen(config, isolated)))

    why.__annotations__ |= {"place": Annotated[str, place_argument], **whose}
    application.command(help="Show the evidence for a setting that stands in a file.")(why)
    _add_verify(application, chosen, whose)
    _add_audit(application, chosen, whose)
    add_pr(application, chosen, rule_ids)
    _add_configuration(application, chosen, config_option, isolated_option)


_VERIFY = """Prove on a real Docker engine that the hardened project still works, and back off exactly what breaks.

It builds and runs what the project contains, on a copy, under a name of its own, on empty volumes, and takes all of it away
again. First as it is, twice; then with the strictest set of fixes, relaxed by what it shows until it does its job."""


def _add_verify(application: typer.Typer, chosen: list[Action], whose: dict[str, Any]) -> None:
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
        "force": Annotated[bool, typer.Option("--force", help="With --write: into files with uncommitted changes, too.")],
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
        **whose,
    }

    def verify(
        path: str = ".",
        files: list[str] = [],  # noqa: B006
        probes: list[str] = [],  # noqa: B006
        write: bool = False,
        force: bool = False,
        diff: bool = False,
        unsafe_fixes: bool = False,
        budget: str = "10m",
        keep_logs: str = "",
        allow_socket: bool = False,
        compose: str = "",
        folders: list[str] = [],  # noqa: B006
        config: str = "",
        isolated: bool = False,
    ) -> None:
        from hardener.cli import verify as command

        which = Chosen(config, isolated)
        asked = command.Asked(
            path, files, probes, write, force, diff, unsafe_fixes, budget, keep_logs, allow_socket, compose, folders, which
        )
        chosen.append(lambda: command.run(asked))

    verify.__annotations__ |= annotations
    application.command(help=_VERIFY)(verify)


_AUDIT = """Ask the questions of an audit: sockets, root, privilege and capabilities first, then limits and the host's network.

Of the files below PATHS, before and after the fixes; with --since, only what a change makes worse; with --running, of the
containers of your Docker engine.

Ends with 1 when what whoever breaks in can use (questions 1 to 4) has a bad answer, or with --since when something is worse."""


def _add_audit(application: typer.Typer, chosen: list[Action], whose: dict[str, Any]) -> None:
    """The audit: of files, of a change, of an engine."""
    words = "Files and folders, by default this folder; with --running, names of containers."
    color = "When to use colour; `auto` means on a terminal, unless NO_COLOR is set."
    annotations: dict[str, Any] = {
        "words": Annotated[list[str], typer.Argument(metavar="[PATHS]", help=words)],
        "since": Annotated[
            str | None, typer.Option("--since", metavar="REV", help="Only what is worse than where this branch left that of REV.")
        ],
        "running": Annotated[bool, typer.Option("--running", help="Ask the running containers of your Docker engine.")],
        "all": Annotated[bool, typer.Option("--all", help="With --running: those that are stopped too.")],
        "unsafe_fixes": Annotated[bool, typer.Option("--unsafe-fixes", help="Count fixes whose evidence is incomplete as made.")],
        "fail_under": Annotated[
            int | None,
            typer.Option(
                "--fail-under", min=0, max=100, metavar="N", help="End with 1 where the score is below N, and only there."
            ),
        ],
        "no_evidence": Annotated[bool, typer.Option("--no-evidence", help="Leave out what harden.evidence.yaml says of runs.")],
        "format": Annotated[
            Literal["text", "json", "markdown", "html"], typer.Option("--format", help="The form of the answer.")
        ],
        "color": Annotated[Literal["auto", "always", "never"], typer.Option("--color", help=color)],
        **whose,
    }

    def audit(
        words: list[str] = [],  # noqa: B006
        since: str | None = None,
        running: bool = False,
        all: bool = False,
        unsafe_fixes: bool = False,
        fail_under: int | None = None,
        no_evidence: bool = False,
        format: str = "text",
        color: str = "auto",
        folders: list[str] = [],  # noqa: B006
        config: str = "",
        isolated: bool = False,
    ) -> None:
        from hardener.cli import audit as command

        how = Chosen(config, isolated)
        asked = command.Asked(
            words or [], unsafe_fixes, format, fail_under, since, running, all, folders or [], no_evidence, color, how
        )
        chosen.append(lambda: command.run(asked))

    audit.__annotations__ |= annotations
    application.command(help=_AUDIT)(audit)


def _add_configuration(application: typer.Typer, chosen: list[Action], config_option: Any, isolated_option: Any) -> None:
    """The commands about the configuration itself."""

    def config(path: str = ".", config: str = "", isolated: bool = False, schema: bool = False, keys: bool = False) -> None:
        from hardener.cli import config as command

        chosen.append(lambda: command.run(path, Chosen(config, isolated), schema=schema, keys=keys))

    config.__annotations__ |= {
        "path": Annotated[str, typer.Argument(metavar="[PATH]", help="A file or folder. Default: this folder.")],
        "config": Annotated[str, config_option],
        "isolated": Annotated[bool, isolated_option],
        "schema": Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the file, for editors.")],
        "keys": Annotated[bool, typer.Option("--keys", help="Explain all keys, in Markdown.")],
    }
    application.command(help="Show which configuration holds for a path, and what it says where.")(config)

    def init(folder: str = ".", baseline: str = "", force: bool = False, stdout: bool = False) -> None:
        from hardener.cli import init as command

        chosen.append(lambda: command.run(folder, baseline, force=force, stdout=stdout))

    init.__annotations__ |= {
        "folder": Annotated[str, typer.Argument(metavar="[DIR]", help="Where the file is to be. Default: this folder.")],
        "baseline": Annotated[
            str,
            typer.Option(
                "--baseline", metavar="FILE", help="Write today's findings there too: from now on, only new ones count."
            ),
        ],
        "force": Annotated[bool, typer.Option("--force", help="Write in place of what is there.")],
        "stdout": Annotated[bool, typer.Option("--stdout", help="Print the file, and write nothing.")],
    }
    application.command(help="Write a commented hardener.toml that fits this repository.")(init)


def rule_ids(incomplete: str) -> list[str]:
    """The rules whose ids begin so, for completion; of several with commas between, for the last."""
    from hardener.rules import load

    before, comma, begun = incomplete.rpartition(",")
    return [before + comma + rule.id for rule in load() if rule.id.startswith(begun)]
