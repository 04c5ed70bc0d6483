"""The options of `harden [PATHS]`: one table, and a parser that is fast because it gives up early.

The table also makes the typer command in `hardener.cli.app`, which takes over whenever this parser is in doubt:
for help, for completion, and for every mistake, so that mistakes are explained in one place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hardener.record import NamedTuple
from hardener.render.formats import NAMES

PROGRAM = "harden"
#: Words that are commands when they come first; `./rules` is a folder of that name.
COMMANDS = ("rules", "explain", "profiles", "needs", "why", "verify", "audit", "pr", "config", "init")

FLAG, LIST, TEXT, CHOICE = "flag", "list", "text", "choice"
MODE_PANEL, RULE_PANEL, OUTPUT_PANEL = "What to do (default: report)", "Which fixes", "Input and output"
CONFIG_PANEL = "Configuration (default: the nearest hardener.toml, or pyproject.toml with [tool.hardener])"


class Option(NamedTuple):
    """One option: its field in `Invocation`, its flag, what it takes, and what help says about it."""

    field: str
    flag: str
    kind: str
    help: str
    panel: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: Any = False


OPTIONS: tuple[Option, ...] = (
    Option("diff", "--diff", FLAG, "Print the fixes as a unified diff, for `git apply`.", MODE_PANEL),
    Option("write", "--write", FLAG, "Write the fixes into the files.", MODE_PANEL),
    Option("force", "--force", FLAG, "With --write: write into files with uncommitted changes, too.", MODE_PANEL),
    Option("check", "--check", FLAG, "Report in one line per finding, for CI.", MODE_PANEL),
    Option("interactive", "--interactive", FLAG, "With --diff or --write: ask about each fix, as `git add -p` does.", MODE_PANEL),
    Option(
        "add_ignores",
        "--add-ignores",
        TEXT,
        "Write a comment that silences it above all that is found and has no fix; with --write or --diff beside the fixes.",
        MODE_PANEL,
        "REASON",
        default="",
    ),
    Option("overlay", "--overlay", FLAG, "Write the fixes beside the files, as overlays, and edit none of them.", MODE_PANEL),
    Option(
        "target_level",
        "--target-level",
        CHOICE,
        "Report which pods do not reach this level of the Pod Security Standards, and why.",
        MODE_PANEL,
        choices=("baseline", "restricted"),
        default="",
    ),
    Option("unsafe_fixes", "--unsafe-fixes", FLAG, "Also apply fixes whose evidence is incomplete: test after it.", RULE_PANEL),
    Option("safe_only", "--no-unsafe-fixes", FLAG, "Only fixes with evidence, whatever the configuration says.", RULE_PANEL),
    Option("select", "--select", LIST, "Only these rules (repeat, or put commas between).", RULE_PANEL, "RULE", default=()),
    Option("ignore", "--ignore", LIST, "All but these rules (repeat, or put commas between).", RULE_PANEL, "RULE", default=()),
    Option("profiles", "--profiles", LIST, "Also know images by the profiles in this folder.", RULE_PANEL, "FOLDER", default=()),
    Option("no_evidence", "--no-evidence", FLAG, "Leave out what harden.evidence.yaml says of runs.", RULE_PANEL),
    Option(
        "baseline",
        "--baseline",
        TEXT,
        "Let be what this file lists, so that only new findings count; `harden init --baseline FILE` makes it.",
        RULE_PANEL,
        "FILE",
        default="",
    ),
    Option(
        "fail_on",
        "--fail-on",
        CHOICE,
        "End with 1 when a finding of this severity remains that no fix removes (default: high).",
        RULE_PANEL,
        choices=("low", "medium", "high", "critical", "never"),
        default="",
    ),
    Option("config", "--config", TEXT, "This configuration, not the nearest.", CONFIG_PANEL, "FILE", default=""),
    Option("isolated", "--isolated", FLAG, "No configuration at all.", CONFIG_PANEL),
    Option("format", "--format", CHOICE, "The form of the report.", OUTPUT_PANEL, choices=NAMES, default="text"),
    Option(
        "output",
        "--output",
        LIST,
        "Write the report to a file, too, in the form that its ending says, or FORM:FILE (repeat for more).",
        OUTPUT_PANEL,
        "FILE",
        default=(),
    ),
    Option(
        "stdin_filename", "--stdin-filename", TEXT, "The name of standard input (path `-`).", OUTPUT_PANEL, "NAME", default=""
    ),
    Option(
        "color",
        "--color",
        CHOICE,
        "When to use colour; `auto` means on a terminal, unless NO_COLOR is set.",
        OUTPUT_PANEL,
        choices=("auto", "always", "never"),
        default="auto",
    ),
    Option(
        "force_exclude",
        "--force-exclude",
        FLAG,
        "Leave out of named files what a folder is searched without: other kinds, ignored, vendored, links. For hooks.",
        OUTPUT_PANEL,
    ),
    Option("debug", "--debug", FLAG, "Tell the way of each finding, and the time of each rule, on standard error.", OUTPUT_PANEL),
    Option("version", "--version", FLAG, "Print the version.", OUTPUT_PANEL),
)


class Invocation(NamedTuple):
    """A command line, understood. The fields are those of the table, and the paths."""

    paths: tuple[str, ...] = ()
    diff: bool = False
    write: bool = False
    force: bool = False
    check: bool = False
    interactive: bool = False
    add_ignores: str = ""
    overlay: bool = False
    target_level: str = ""
    unsafe_fixes: bool = False
    safe_only: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    no_evidence: bool = False
    baseline: str = ""
    #: Empty where the command line does not say it.
    fail_on: str = ""
    config: str = ""
    isolated: bool = False
    format: str = "text"
    output: tuple[str, ...] = ()
    stdin_filename: str = ""
    color: str = "auto"
    force_exclude: bool = False
    debug: bool = False
    version: bool = False


def parse(arguments: Sequence[str]) -> Invocation | None:
    """What a plain command line says, or None where typer has to look at it."""
    if arguments and arguments[0] in COMMANDS:
        return None
    table = {option.flag: option for option in OPTIONS}
    values: dict[str, Any] = {}
    paths: list[str] = []
    waiting = iter(arguments)
    for word in waiting:
        if word == "--":
            paths += waiting
        elif not word.startswith("-") or word == "-":
            paths.append(word)
        else:
            flag, equals, value = word.partition("=")
            option = table.get(flag)
            if option is None or (option.kind == FLAG and equals):
                return None
            if option.kind == FLAG:
                values[option.field] = True
                continue
            if not equals:
                value = next(waiting, "-")
                if value.startswith("-"):
                    return None
            values[option.field] = (*values.get(option.field, ()), value) if option.kind == LIST else value
    if any(option.choices and values.get(option.field, option.choices[0]) not in option.choices for option in OPTIONS):
        return None
    return Invocation(tuple(paths), **values)
