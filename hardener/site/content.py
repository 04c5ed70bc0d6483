"""What pages the site has, as Markdown: of the README, the rules, the command line, the profiles, the changes. Builds nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from html import escape

from hardener.cli.known import rule as rule_of
from hardener.cli.rules import LEGEND, row
from hardener.config.page import page as configuration
from hardener.errors import UsageError
from hardener.finding import Severity
from hardener.needs.profile import BUILT_IN, Namesake, Profile
from hardener.needs.profile_file import read_profile
from hardener.pages.explanation import explain, worst_first
from hardener.record import NamedTuple
from hardener.render.rule_markdown import code, escaped, render
from hardener.site.reference import Command, Parameter, commands

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOME, RULES, COMMANDS, IMAGES, CONFIGURATION, CHANGES, CONTRIBUTING = (
    "index.md",
    "rules/index.md",
    "commands.md",
    "images.md",
    "configuration.md",
    "changelog.md",
    "contributing.md",
)
#: Files of the repository that are pages, by the names that links give them.
_FILES = {
    "README.md": HOME,
    "CHANGELOG.md": CHANGES,
    "CONTRIBUTING.md": CONTRIBUTING,
}
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_ID = re.compile(r"(?<![\[`])`([a-z]+(?:-[a-z]+)+)`(?![\]`])")


class Content(NamedTuple):
    """The pages, by their paths, and the navigation as MkDocs has it."""

    pages: Mapping[str, str]
    nav: list[object]


def content() -> Content:
    """All pages. Raises `UsageError` outside of the repository: a wheel has no README."""
    rules = worst_first()
    pages = {path: _of_the_repository(name) for name, path in _FILES.items()}
    pages |= {RULES: _table(), COMMANDS: _commands(), CONFIGURATION: _linked(configuration(), ""), IMAGES: _images()}
    pages |= {f"rules/{rule.id}.md": _linked(render(explain(rule)), "rules", but=rule.id) for rule in rules}
    hazards: list[object] = [{"All hazards": RULES}]
    for severity in sorted(Severity, reverse=True):
        worst = [{rule.id: f"rules/{rule.id}.md"} for rule in rules if rule.severity is severity]
        hazards.append({severity.name.capitalize(): worst})
    nav: list[object] = [
        {"Start": HOME},
        {"Hazards": hazards},
        {"Command line": COMMANDS},
        {"Configuration": CONFIGURATION},
        {"Images": IMAGES},
    ]
    return Content(pages, [*nav, {"Changes": CHANGES}, {"Contributing": CONTRIBUTING}])


def _of_the_repository(name: str) -> str:
    try:
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            text = file.read()
    except OSError:
        raise UsageError(f"there is no {name} beside the package: the site is built in a clone of the repository") from None
    return _linked(text, "")


def _linked(text: str, folder: str, but: str = "") -> str:
    """Links to files of the repository lead to their pages, or nowhere; ids of rules lead to theirs, but not to this page."""
    known = {rule.id for rule in worst_first()} - {but}

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        if target.startswith("https:"):
            return match[0]
        return f"[{label}]({_to(_FILES[target], folder)})" if target in _FILES else code(target)

    def to_rule(match: re.Match[str]) -> str:
        return f"[{match[0]}]({_to(f'rules/{match[1]}.md', folder)})" if match[1] in known else match[0]

    parts = _FENCE.split(text)
    return "".join(part if at % 2 else _ID.sub(to_rule, _LINK.sub(link, part)) for at, part in enumerate(parts))


def _to(path: str, folder: str) -> str:
    return os.path.relpath(path, folder or ".").replace(os.sep, "/")


def _table() -> str:
    legend = (line.split(": ", 1) for line in LEGEND.splitlines())
    lines = ["# Hazards", "", *(f"- **{word}**: {text}" for word, text in legend)]
    lines += ["", "| hazard | severity | where | what is done | in short |", "|---|---|---|---|---|"]
    for rule in worst_first():
        id, *cells = row(rule)
        lines.append(f"| [`{id}`]({id}.md) | {' | '.join(cells)} | {escaped(rule_of(id).title)} |")
    return "\n".join(lines)


def _commands() -> str:
    main, *others = commands()
    lines = ["# Command line", "", *_command(main)]
    for command in others:
        lines += ["", f"## harden {command.name}", "", *_command(command)]
    for table in main.tables:
        if not table.title.startswith("Other"):  # these are the sections above
            lines += ["", f"## {table.title}", "", f"| {table.title[:-1].lower()} | what it means |", "|---|---|"]
            lines += [f"| {_cell(term)} | {escaped(text)} |" for term, text in table.rows]
    return "\n".join(lines)


def _command(command: Command) -> Iterator[str]:
    yield from ("```text", command.usage, "```", "", escaped(command.help))
    panel = None
    for parameter in command.parameters:
        if panel is None or parameter.panel not in ("", panel):
            panel = parameter.panel
            yield from ("", *([f"### {panel}", ""] if panel else []), "| argument or option | what it does |", "|---|---|")
        yield _parameter(parameter)


def _parameter(parameter: Parameter) -> str:
    default = f" Default: {code(parameter.default)}." if parameter.default else ""
    return f"| {_cell(parameter.usage)} | {escaped(parameter.help)}{default} |"


def _cell(text: str) -> str:
    """Code in a table: to Markdown, a bar ends the cell even there."""
    return f"<code>{escape(text).replace('|', '&#124;')}</code>"


def _images() -> str:
    profiles: dict[str, Profile] = {}
    others: dict[str, list[str]] = {}
    for name in sorted(os.listdir(BUILT_IN)):
        if name.endswith(".toml"):
            with open(os.path.join(BUILT_IN, name), "rb") as file:
                profile = read_profile(name, file.read())
            if isinstance(profile, Namesake):
                others.setdefault(profile.same_as, []).extend(profile.names)
            else:
                profiles[profile.names[0]] = profile
    lines = ["# Images", "", f"{len(profiles)} images are known. `harden profiles IMAGE` shows what is known of one,"]
    lines += ["item by item, with the file and commit where it was read.", "", "| image | versions | also as |", "|---|---|---|"]
    for name, profile in sorted(profiles.items()):
        versions = " ".join(sign + ".".join(map(str, bound)) for sign, bound in profile.versions.versions) or "any"
        also = ", ".join(code(other) for other in (*profile.names[1:], *others.get(name, ())))
        lines.append(f"| {code(name)} | {code(versions) if versions != 'any' else versions} | {also} |")
    return "\n".join(lines)
