"""All that a configuration may say: one table of keys. Knows neither how it is read nor how it is shown.

Reading, the messages about mistakes, the JSON schema, the comments that `harden init` writes and the page for people all
follow from this table.
"""

from __future__ import annotations

from typing import Any

from hardener.record import NamedTuple

TEXT, FLAG, NUMBER, WHOLE, DATE = "text", "flag", "number", "whole", "date"
#: How a key holds others: a table of these keys, a list of such tables, or such tables under names that people choose.
TABLE, TABLES, NAMED = "table", "tables", "named"

#: What is written as memory, and what it comes to: see `mebibytes`. Docker refuses less than 6 MiB
#: (moby/moby daemon/daemon_unix.go: `linuxMinMemory`, at 20.10 and later).
_MEMORY = r"^(?:(?:[6-9]|[1-9][0-9]{1,6})[mM]|(?:0\.[1-9]|[1-9][0-9]{0,3}(?:\.[0-9])?)[gG])[iI]?[bB]?$"


class Kind(NamedTuple):
    """What a value is: its type, and what bounds it."""

    #: What it is, for people; of a list, what each of its items is.
    words: str
    type: str = TEXT
    #: A pattern of all of a text, as JSON schemas have them.
    pattern: str = ""
    least: float = 0
    most: float = 0
    choices: tuple[str, ...] = ()
    #: Whether the choices are the ids of all rules.
    rules: bool = False
    #: Whether it is a list of such values.
    many: bool = False


class Key(NamedTuple):
    """A name that may stand in a table, and what stands behind it: a value, or tables of more keys."""

    name: str
    kind: Kind | None
    #: One sentence about it, or about the table.
    doc: str
    #: What holds where nothing is said, as TOML says it.
    default: Any = None
    #: A value that shows how it is written, as TOML.
    example: str = ""
    #: TABLE, TABLES or NAMED, and the keys in it, where it is no value.
    form: str = ""
    keys: tuple[Key, ...] = ()
    #: Those that have to be there, and those of which one has to be there.
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


SEVERITIES = ("low", "medium", "high", "critical")
_SAID = r"\S"
_RULES = Kind("the id of a rule", rules=True, many=True)
_PATHS = Kind("a pattern as in .gitignore", pattern=_SAID, many=True)
_NAMES = Kind("a name, in which *, ? and [...] are patterns", pattern=_SAID, many=True)
_IMAGES = Kind("an image, in which *, ? and [...] are patterns", pattern=_SAID, many=True)
_FOLDERS = Kind("the path of a folder", pattern=_SAID, many=True)
_FILE = Kind("the path of a file", pattern=_SAID)
_SENTENCE = Kind("a text", pattern=_SAID)
_DATE = Kind("a date such as 2027-01-31", DATE, r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$")
_SEVERITY = Kind("a severity", choices=SEVERITIES)
_FAIL_ON = Kind("a severity or never", choices=(*SEVERITIES, "never"))
_FLAG = Kind("true or false", FLAG)
_AMOUNT_OF_MEMORY = Kind("an amount of memory such as 512M or 2G, of 6M or more", pattern=_MEMORY)
_CORES = Kind("a number of processors such as 0.5 or 2", NUMBER, least=0.01, most=4096)
_PROCESSES = Kind("a whole number", WHOLE, least=1, most=4_194_304)
_NAMING = Kind('"numeric" or "name"', choices=("numeric", "name"))
_IMAGE = Kind("an image such as registry.example.com/proxy:1.2", pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$")
_COMMANDS = Kind("a command", pattern=_SAID, many=True)
#: What ends a line, steers a terminal or turns the direction of writing around: none of it in what the bot writes by our leave.
_STEERS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
_PER = Kind('"project", "file", "rule" or "repository"', choices=("project", "file", "rule", "repository"))
_REBASE = Kind('"always", "conflicts" or "never"', choices=("always", "conflicts", "never"))
#: GitHub takes labels of up to 50 characters; GitLab parts them by commas.
_LABEL = Kind("a label of at most 50 characters, without commas", pattern=rf"^[^\s,{_STEERS}][^,{_STEERS}]{{0,49}}$")
_LABELS = _LABEL._replace(many=True)
_SOLID = rf"[^\s<>{_STEERS}]"
#: Whose name is on commits.
AUTHOR = Kind(
    "a name and an address such as `Ann Example <ann@example.com>`",
    pattern=rf"^{_SOLID}(?:[^<>{_STEERS}]{{0,98}}{_SOLID})? <[^\s<>@{_STEERS}]{{1,64}}@[^\s<>@{_STEERS}]{{1,189}}>$",
)
#: Of what `git check-ref-format` takes, only what needs no second look.
_PREFIX = Kind(
    "a part of a branch's name, of letters, digits, `_`, `-` and `/`, that ends with `/` or `-`",
    pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}(?:/[A-Za-z0-9][A-Za-z0-9_-]{0,39}){0,3}[/-]$",
)
_TITLE = Kind("one line of at most 40 characters, without `@`", pattern=rf"^[^@{_STEERS}]{{0,40}}$")
_SITE = Kind(
    "an address such as https://docs.example.com/harden",
    pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,63}){0,8}/?$",
)
_SOME = Kind("a whole number from 1 to 100", WHOLE, least=1, most=100)

_AMOUNTS = (
    Key("memory", _AMOUNT_OF_MEMORY, "Memory, in M or G of 1024.", example='"512M"'),
    Key("cpus", _CORES, "Processors, also parts of one.", example="1.0"),
    Key("pids", _PROCESSES, "Processes and threads.", example="200"),
)
#: What people may call a class of containers: the name is written into comments.
CLASS_NAME = r"^[A-Za-z0-9][A-Za-z0-9_. -]{0,39}$"

KEYS: tuple[Key, ...] = (
    Key("select", _RULES, "Only these rules; empty for all.", [], '["root-user"]'),
    Key("ignore", _RULES, "All rules but these.", [], '["missing-healthcheck"]'),
    Key("exclude", _PATHS, "Not looked at, from this folder on; files that are named are always read.", [], '["legacy/**"]'),
    Key("min-severity", _SEVERITY, "Only hazards of this severity and above.", "low", '"medium"'),
    Key("fail-on", _FAIL_ON, "End with 1 when a finding of this severity remains that no fix removes.", "high", '"medium"'),
    Key("unsafe-fixes", _FLAG, "Also apply fixes whose evidence is incomplete.", False, "true"),
    Key("profiles", _FOLDERS, "Folders with profiles of your own images.", [], '["./profiles"]'),
    Key("baseline", _FILE, "Findings that are listed in this file do not count.", "", '"hardener-baseline.json"'),
    Key(
        "silence",
        None,
        "Findings to let be: those that match all that is said here, with the reason.",
        form=TABLES,
        keys=(
            Key("rules", _RULES, "Of these rules.", [], '["root-user"]'),
            Key("paths", _PATHS, "In these files.", [], '["tools/**"]'),
            Key("services", _NAMES, "Of services, containers and stages with these names.", [], '["*-debug"]'),
            Key("images", _IMAGES, "Of these images.", [], '["registry.example.com/*"]'),
            Key("severity", _SEVERITY, "Of this severity and below.", None, '"low"'),
            Key("reason", _SENTENCE, "Why they are let be.", None, '"a tool for our own machines"'),
            Key("until", _DATE, "The last day on which that holds.", None, "2027-01-31"),
        ),
        required=("reason",),
        one_of=("rules", "paths", "services", "images", "severity"),
    ),
    Key(
        "limits",
        None,
        "Limits for containers that have none, in place of what is known.",
        form=TABLE,
        keys=(
            *_AMOUNTS,
            Key(
                "class",
                None,
                "Limits for a kind of containers that you define: by their images, or by the names of services.",
                example="database",
                form=NAMED,
                keys=(
                    Key("images", _IMAGES, "Containers of these images are in it.", [], '["postgres", "mariadb:*"]'),
                    Key("services", _NAMES, "Services and containers with these names are in it.", [], '["*-db"]'),
                    *_AMOUNTS,
                ),
                one_of=("images", "services"),
            ),
            Key(
                "image",
                None,
                "Limits for the containers of an image, with or without its tag; the longest pattern comes first.",
                example='"postgres:16*"',
                form=NAMED,
                keys=_AMOUNTS,
            ),
        ),
    ),
    Key(
        "users",
        None,
        "How users are written.",
        form=TABLE,
        keys=(
            Key(
                "naming",
                _NAMING,
                "By number, or by the name that the image has for it, where a name serves.",
                "numeric",
                '"name"',
            ),
        ),
    ),
    Key(
        "socket-proxy",
        None,
        "What to put between the engine's socket and what asks it.",
        form=TABLE,
        keys=(Key("image", _IMAGE, "The image that is advised.", "", '"tecnativa/docker-socket-proxy:0.4"'),),
    ),
    Key(
        "verify",
        None,
        "How `harden verify` asks whether the project does its job.",
        form=TABLE,
        keys=(
            Key(
                "probes",
                _COMMANDS,
                "Shell commands that end with 0 when it does; `in SERVICE: CMD` runs one inside of a service.",
                [],
                '["curl -fsS http://$HARDEN_ADDRESS/health"]',
            ),
        ),
    ),
    Key(
        "pr",
        None,
        "How this repository wants the pull requests of `harden pr`.",
        form=TABLE,
        keys=(
            Key("enabled", _FLAG, "Whether any are made at all.", True, "false"),
            Key("per", _PER, "What one is about.", "project", '"file"'),
            Key("draft", _FLAG, "Open them as drafts.", False, "true"),
            Key("labels", _LABELS, "What they are labelled with.", [], '["security"]'),
            Key(
                "author",
                AUTHOR,
                "Whose name is on the commits; empty for whoever has the token, and the forge may sign them.",
                "",
                '"Ann Example <ann@example.com>"',
            ),
            Key("sign-off", _FLAG, "Whether each commit ends with `Signed-off-by:`.", False, "true"),
            Key("branch-prefix", _PREFIX, "What the names of their branches begin with.", "harden/", '"bot/harden-"'),
            Key("title-prefix", _TITLE, "What stands before their titles and those of commits.", "", '"fix(docker): "'),
            Key(
                "rule-pages",
                _SITE,
                "Where the site that `python3 -m hardener.site` builds is served: their texts link the page of each rule there.",
                "",
                '"https://docs.example.com/harden"',
            ),
            Key("rebase", _REBASE, "When commits are made anew on top of a base that has moved.", "always", '"conflicts"'),
            Key("per-hour", _SOME, "How many are opened in an hour, at most.", 2, "1"),
            Key("at-once", _SOME, "How many are open at once, at most.", 5, "2"),
            Key("stop-label", _LABEL, "Who gives this label to one has it left as it is.", "harden:stop", '"hands-off"'),
            Key("remarks", _FLAG, "Say what is held back on its lines, with what could be written there.", False, "true"),
            Key("dashboard", _FLAG, "Keep an issue that lists them all, and what was declined.", False, "true"),
        ),
    ),
)


def choices_of(kind: Kind) -> tuple[str, ...]:
    """The texts that a kind allows; empty where it does not list them."""
    if not kind.rules:
        return kind.choices
    from hardener.rules import ids

    return ids()


def mebibytes(text: str) -> int:
    """What a text of the kind of `memory` comes to, in whole MiB."""
    number = text.rstrip("iIbB")
    return int(-(-float(number[:-1]) * (1024 if number[-1] in "gG" else 1) // 1))
