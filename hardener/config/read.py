"""From the text of a configuration to a `Config`: each value checked against the table of keys. Knows no command."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hardener.config.find import is_below
from hardener.config.keys import (
    CLASS_NAME,
    DATE,
    FLAG,
    KEYS,
    NAMED,
    NUMBER,
    TABLES,
    WHOLE,
    Key,
    Kind,
    choices_of,
    mebibytes,
)
from hardener.config.model import Config, PullRequests
from hardener.config.positions import Path, positions
from hardener.errors import Unreadable
from hardener.finding import Severity
from hardener.policy import Amounts, Policy, Waiver
from hardener.source import Source
from hardener.suggestion import meant
from hardener.toml import parse

#: Where our tables are in a pyproject.toml.
_SHARED: Path = ("tool", "hardener")
#: The amounts of a table of limits, and what each comes to.
_AMOUNTS: Mapping[str, Callable[[Any], Any]] = {"memory": mebibytes, "cpus": float, "pids": int}


class Told:
    """What a file says of us: the tables, checked, and the line of each part."""

    def __init__(self, source: Source, *, shared: bool) -> None:
        self.path = source.path
        self.root: Path = _SHARED if shared else ()
        told = _parsed(source)
        for name in self.root:
            told = told.get(name) if isinstance(told, dict) else None
        self._lines = positions(source) if told is not None else {}
        #: None where a pyproject.toml says nothing of us.
        self.table: Mapping[str, Any] | None = None
        if told is not None:
            if not isinstance(told, dict):
                self.fail((), "must be a table: [tool.hardener]")
            self._check(told, KEYS, ())
            self.table = told

    def line(self, path: Path) -> int:
        """The line of a part, or else of what it is in."""
        whole = (*self.root, *path)
        return next((self._lines[whole[:end]] for end in range(len(whole), 0, -1) if whole[:end] in self._lines), 0)

    def source(self, path: Path) -> str:
        """Where a part stands, such as `hardener.toml:12`."""
        return f"{self.path}:{self.line(path)}"

    def fail(self, path: Path, reason: str, remedy: str = "mend it") -> None:
        """Raise `Unreadable` about a part."""
        raise Unreadable(self.path, f"`{shown((*self.root, *path))}` {reason}", remedy, self.line(path))

    def _check(self, table: Mapping[str, Any], keys: Sequence[Key], path: Path) -> None:
        known = {key.name: key for key in keys}
        for name, value in table.items():
            if name in known:
                self._check_key(known[name], value, (*path, name))
            else:
                self.fail((*path, name), f"is not known: {_nearest(name, tuple(known))}", "mend its name, or take it out")

    def _check_key(self, key: Key, value: Any, path: Path) -> None:
        if key.kind is not None:
            self._check_value(key.kind, value, path)
        elif key.form == TABLES:
            if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
                self.fail(path, f"must be a list of tables: [[{shown((*self.root, *path))}]]")
            for number, item in enumerate(value):
                self._check_table(key, item, (*path, number))
        elif not isinstance(value, dict):
            self.fail(path, f"must be a table: [{shown((*self.root, *path))}]")
        elif key.form == NAMED:
            for name, item in value.items():
                if not isinstance(item, dict):
                    self.fail((*path, name), f"must be a table: [{shown((*self.root, *path, name))}]")
                # A class is named in comments, and an image is a pattern.
                pattern = CLASS_NAME if key.one_of else r"\S"
                if not _matches(pattern, name):
                    what = "is called by letters, digits, spaces, `.`, `_` and `-`, 40 at most" if key.one_of else "is empty"
                    self.fail((*path, name), what)
                self._check_table(key, item, (*path, name))
        else:
            self._check_table(key, value, path)

    def _check_table(self, key: Key, table: Mapping[str, Any], path: Path) -> None:
        self._check(table, key.keys, path)
        for name in key.required:
            if name not in table:
                self.fail(path, f"has no `{name}`", f"add `{name}`")
        if key.one_of and not any(table.get(name) for name in key.one_of):
            self.fail(path, f"says nothing of {' or '.join(key.one_of)}: it would be about everything", "say what it is about")

    def _check_value(self, kind: Kind, value: Any, path: Path) -> None:
        if not kind.many:
            self._check_one(kind, value, path)
        elif not isinstance(value, list):
            self.fail(path, f"must be a list, each item {kind.words}, not {_quoted(value)}")
        else:
            for number, item in enumerate(value):
                self._check_one(kind, item, (*path, number))

    def _check_one(self, kind: Kind, value: Any, path: Path) -> None:
        choices = choices_of(kind)
        wrong = value not in choices if choices else not _is_of(kind, value)
        if wrong:
            hint = f": {_nearest(value if isinstance(value, str) else _quoted(value), choices)}" if choices else ""
            reason = f"must be {kind.words}, not {_quoted(value)}{hint}"
            self.fail(path, reason, "`harden rules` lists them" if kind.rules else "mend it")


def config_of(source: Source, folder: str, top: str, *, shared: bool) -> Config | None:
    """The configuration that a text says; None for a pyproject.toml without a table of ours.

    `folder` is where its file lies, and `top` what the paths in it may not leave; empty for no bound. Raises `Unreadable`.
    """
    told = Told(source, shared=shared)
    table = told.table
    if table is None:
        return None
    least = table.get("min-severity", "low")
    policy = Policy(
        waivers=tuple(_waivers(told, table.get("silence", ()))),
        limits=tuple(_limits(told, table.get("limits", {}))),
        named_users=table.get("users", {}).get("naming") == "name",
        socket_proxy=table.get("socket-proxy", {}).get("image", ""),
        profiles=tuple(_folders(told, table.get("profiles", ()), folder, top)),
        least_severity=Severity[least.upper()],
        folder=folder,
    )
    return Config(
        path=source.path,
        folder=folder,
        policy=policy,
        select=frozenset(table.get("select", ())),
        ignore=frozenset(table.get("ignore", ())),
        exclude=tuple(table.get("exclude", ())),
        fail_on=table.get("fail-on", ""),
        unsafe_fixes=table.get("unsafe-fixes", False),
        baseline=_within(told, ("baseline",), table.get("baseline", ""), folder, top),
        probes=tuple(table.get("verify", {}).get("probes", ())),
        pull_requests=_pull_requests(table.get("pr", {})),
    )


def _parsed(source: Source) -> Any:
    try:
        return parse(source.text)
    except ValueError as error:
        reason = str(error)
        found = re.search(r" ?\(at line (\d+), column \d+\)", reason)
        at = found.span() if found else (len(reason), len(reason))
        line = int(found[1]) if found else 0
        raise Unreadable(source.path, f"no TOML: {reason[: at[0]]}{reason[at[1] :]}", "mend it", line) from None


def _waivers(told: Told, tables: Sequence[Mapping[str, Any]]) -> Iterator[Waiver]:
    for number, table in enumerate(tables):
        lists = {name: tuple(table.get(name, ())) for name in ("rules", "paths", "services", "images")}
        severity = table.get("severity")
        yield Waiver(
            reason=table["reason"],
            source=told.source(("silence", number)),
            severity=Severity[severity.upper()] if severity else None,
            until=_date(told, table.get("until"), ("silence", number, "until")),
            **lists,
        )


def _pull_requests(table: Mapping[str, Any]) -> PullRequests:
    """The table `pr`: its keys are the fields. TOML may say a whole number as 2.0."""
    plain = PullRequests()
    told = {name.replace("-", "_"): value for name, value in table.items()}
    return PullRequests(**{name: type(getattr(plain, name))(value) for name, value in told.items()})


def _date(told: Told, value: Any, path: Path) -> Any:
    if not isinstance(value, str):
        return value
    from datetime import date

    try:
        return date.fromisoformat(value)
    except ValueError:
        return told.fail(path, f"is no day of the calendar: {value}")


def _limits(told: Told, table: Mapping[str, Any]) -> Iterator[Amounts]:
    """The most particular first: images, the longest first; classes in their order; what holds for all."""
    images = table.get("image", {})
    for image in sorted(images, key=_particular, reverse=True):
        yield from _amounts(told, images[image], ("limits", "image", image), images=(image,))
    for name, item in table.get("class", {}).items():
        lists = {key: tuple(item.get(key, ())) for key in ("images", "services")}
        yield from _amounts(told, item, ("limits", "class", name), name=name, **lists)
    yield from _amounts(told, table, ("limits",))


def _particular(image: str) -> int:
    """How much of a pattern is said letter by letter."""
    return len(re.sub(r"\[[^]]*\]|[*?]", "", image))


def _amounts(told: Told, table: Mapping[str, Any], path: Path, **about: Any) -> Iterator[Amounts]:
    """What one table decides, each amount with its own place."""
    for name, value_of in _AMOUNTS.items():
        if name in table:
            yield Amounts(told.source((*path, name)), **{name: value_of(table[name])}, **about)


def _folders(told: Told, names: Sequence[str], folder: str, top: str) -> Iterator[str]:
    for number, name in enumerate(names):
        path = ("profiles", number)
        location = _within(told, path, name, folder, top)
        if not os.path.isdir(location):
            told.fail(path, f"names no folder: {_quoted(name)}")
        for entry in sorted(os.listdir(location)) if top else ():
            profile = os.path.join(location, entry)
            if entry.endswith(".toml") and (not is_below(profile, top) or not os.path.isfile(profile)):
                told.fail(path, f"has something in it that is no file of the repository: {_quoted(entry)}")
        yield location


def _within(told: Told, path: Path, name: str, folder: str, top: str) -> str:
    """Where a path in the file leads to, which must be within the repository unless the user named the file."""
    if not name:
        return ""
    location = os.path.normpath(os.path.join(folder, name))
    if top and not is_below(location, top):
        told.fail(path, f"leads out of the repository: {_quoted(name)}", "keep it in the repository, or use --config")
    return location


def _is_of(kind: Kind, value: Any) -> bool:
    """Whether a value is of a kind: what the JSON schema says, for values of TOML."""
    if kind.type == FLAG:
        return isinstance(value, bool)
    if kind.type in (NUMBER, WHOLE):
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and kind.least <= value <= kind.most
        return number and (kind.type == NUMBER or float(value).is_integer())
    if kind.type == DATE and hasattr(value, "isoformat"):
        value = value.isoformat()
    return isinstance(value, str) and _matches(kind.pattern, value)


def _matches(pattern: str, text: str) -> bool:
    return not text.endswith("\n") and re.search(pattern, text) is not None


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = meant(name, known)
    if near:
        return f"did you mean `{near}`?"
    return f"there is {', '.join(known)}" if len(known) < 16 else "there is none that is called like that"


def _quoted(value: Any) -> str:
    try:
        text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        return "a number that is too long to be shown"
    return text if len(text) <= 60 else f"{text[:57]}..."


def shown(path: Path) -> str:
    """A path as TOML writes it; a number counts from 1."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part + 1}]"
        else:
            shown += ("." if shown else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"')
    return shown
