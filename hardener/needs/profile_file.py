"""The format of a profile file: TOML to `Profile`, strictly, so that a slip of the pen is named and not ignored.

A file has `names`, `programs`, `[source.ID]` tables, and a list of tables for each kind of item. Every item names its
source and says why in at most 60 characters, because that sentence becomes a comment in people's files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from hardener.errors import Unreadable
from hardener.finding import Evidence, Strength
from hardener.needs.profile import (
    EVERYWHERE,
    Account,
    Amount,
    Capability,
    Condition,
    Filter,
    Healthcheck,
    Heap,
    Inherited,
    Namesake,
    Origin,
    Port,
    Profile,
    Start,
    Unprivileged,
    Verdict,
    WrittenPath,
)
from hardener.toml import parse

LONGEST_WHY = 60
WHENS = ("start", "foreign-data", "low-port", "exec")
RUNTIMES = ("jvm", "node")
SIZINGS = ("default", "own", "fixed")
FRESH = ("root", "anybody")
KINDS = ("run", "scratch", "cache", "log", "data", "config")
STRENGTHS = {
    "code": Strength.READ,
    "measurement": Strength.OBSERVED,
    "documentation": Strength.DOCUMENTED,
    "issue": Strength.DOCUMENTED,
}
#: What a condition may ask. A PATH with stars is text that the target contains.
CONDITIONS = {
    "environment": "NAME: a variable is set and not empty; `NAME*` for any that begins so",
    "command": "TEXT: a word of the command contains it; a TEXT that begins with a slash, where a path begins",
    "option": "NAME: the command has it; a NAME that begins with a dot is the end of a longer one",
    "platform": "NAME: that runs it, Docker or Kubernetes",
    "mount": "PATH: something is mounted there, below or above",
    "mount-at": "PATH: something is mounted exactly there",
    "file": "PATH: that file is mounted, by itself or in a folder of the project",
    "bind": "PATH: as `mount`, but what comes from a volume does not count",
    "text": "PATH REGEX: what is mounted there contains a match, or cannot be read",
}
_QUESTIONS = ("capabilities", "read-only", "no-new-privileges", "memory", "cpu", "pids")
_REMEDY = "see the profiles that come with harden for the format"
_MISSING: Any = object()

_T = TypeVar("_T")


class _Table:
    """A table whose keys are taken one by one; what is left over is unknown."""

    __slots__ = ("file", "key", "values")

    def __init__(self, file: str, key: str, values: object) -> None:
        self.file = file
        self.key = key
        if not isinstance(values, dict):
            self.fail("", "must be a table")
        self.values: dict[str, Any] = dict(values)

    def fail(self, key: str, reason: str) -> NoReturn:
        where = ".".join(part for part in (self.key, key) if part)
        raise Unreadable(self.file, f"{where}: {reason}" if where else reason, _REMEDY)

    def take(self, key: str, kind: type[_T], default: _T = _MISSING) -> _T:
        value = self.values.pop(key, _MISSING)
        if value is _MISSING:
            if default is _MISSING:
                self.fail(key, "is missing")
            return default
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:  # a bool is no int here
            self.fail(key, f"must be {_NAMES[kind]}, not {value!r}")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        value: list[Any] = self.take(key, list, [])
        if not all(isinstance(word, str) and word for word in value):
            self.fail(key, "must be a list of text")
        return tuple(value)

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.take(key, str)
        if value not in allowed:
            self.fail(key, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def done(self) -> None:
        for key in self.values:
            self.fail(key, "is not a known key")


_NAMES: Mapping[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


class _Item(_Table):
    """A table of one item: what all items have in common."""

    __slots__ = ("evidence", "filter", "why")

    def __init__(self, file: str, key: str, values: object, origins: Mapping[str, Origin]) -> None:
        super().__init__(file, key, values)
        filter = Filter(
            _versions(self),
            self.take("variant", str, ""),
            tuple(_condition(self, "if", text) for text in self.words("if")),
            tuple(_condition(self, "unless", text) for text in self.words("unless")),
        )
        self.filter = EVERYWHERE if filter == EVERYWHERE else filter
        self.why = self.take("why", str)
        if not 0 < len(self.why) <= LONGEST_WHY or not self.why.isprintable():
            self.fail("why", f"must be one line of at most {LONGEST_WHY} characters, not {len(self.why)}")
        source = self.take("source", str)
        origin = origins.get(source)
        if origin is None:
            self.fail("source", f"{source!r} is not among the sources")
        self.evidence = Evidence(self.why, f"{origin.repository} {origin.file}@{origin.commit[:7]}", STRENGTHS[origin.kind])

    def account(self) -> Account | None:
        text = self.take("account", str, "")
        name, _, ids = text.partition(":")
        uid, _, gid = ids.partition(":")
        if not text:
            return None
        if not name or not (uid.isdecimal() and gid.isdecimal() and uid.isascii() and gid.isascii()):
            self.fail("account", f"must be name:uid:gid, not {text!r}")
        return Account(name, int(uid), int(gid))

    def number(self, key: str) -> int | None:
        value = self.take(key, int, -1)
        return None if value < 0 else value


def read_profile(file: str, data: bytes) -> Profile | Namesake:
    """Read the bytes of a profile file, called `file` in messages. Raises `Unreadable`, naming the key."""
    try:
        document = parse(data.decode("utf-8"))
    except ValueError as error:
        raise Unreadable(file, f"not TOML: {error}", _REMEDY) from None
    table = _Table(file, "", document)
    if "same-as" in table.values:
        namesake = Namesake(file, table.words("names"), table.take("same-as", str))
        table.done()
        return namesake
    origins = {}
    for name, values in table.take("source", dict).items():
        origins[name] = _origin(_Table(file, f"source.{name}", values), name)

    def items(key: str, make: Callable[[_Item], _T]) -> tuple[_T, ...]:
        made = []
        for at, values in enumerate(table.take(key, list, []), 1):
            item = _Item(file, f"{key}[{at}]", values, origins)
            made.append(make(item))
            item.done()
        return tuple(made)

    unknown = table.take("unknown", dict, {})
    for name, why in unknown.items():
        if name not in _QUESTIONS or not isinstance(why, str):
            table.fail(f"unknown.{name}", f"must be text for one of {', '.join(_QUESTIONS)}")
    names = table.words("names")
    profile = Profile(
        file=file,
        names=names,
        versions=Filter(_versions(table)),
        rolling=frozenset(table.words("rolling")),
        programs=table.words("programs"),
        origins=origins,
        starts=items("start", _start),
        capabilities=items("capability", _capability),
        paths=items("path", _path),
        read_only=items("read-only", _verdict),
        no_new_privileges=items("no-new-privileges", _verdict),
        memory=items("memory", _memory),
        cpu=items("cpu", lambda item: _amount(item, "cores")),
        pids=items("pids", lambda item: _amount(item, "threads")),
        ports=items("port", _port),
        user=items("user", _verdict),
        seccomp=items("seccomp", _verdict),
        apparmor=items("apparmor", _verdict),
        api=items("api", _verdict),
        unprivileged=items("unprivileged", _unprivileged),
        heaps=items("heap", _heap),
        healthchecks=items("healthcheck", _healthcheck),
        inherits=items("inherits", _inherited),
        unknown={name.replace("-", "_"): why for name, why in unknown.items()},
    )
    table.done()
    if not names:
        table.fail("names", "is missing")
    if not profile.starts:
        table.fail("start", "is missing")
    return profile


def _origin(table: _Table, name: str) -> Origin:
    kind = table.one_of("kind", tuple(STRENGTHS))
    repository, file, commit = (table.take(key, str) for key in ("repository", "file", "commit"))
    url = table.take("url", str, f"https://github.com/{repository}/blob/{commit}/{file}")
    table.done()
    return Origin(name, kind, repository, file, commit, url)


def _versions(table: _Table) -> tuple[tuple[str, tuple[int, ...]], ...]:
    bounds = []
    for word in table.take("versions", str, "").split():
        sign = ">=" if word.startswith(">=") else "<"
        numbers = word.removeprefix(sign).split(".")
        if not word.startswith(sign) or not all(number.isdecimal() and number.isascii() for number in numbers):
            table.fail("versions", f"must be bounds such as '>=14 <18', not {word!r}")
        bounds.append((sign, tuple(map(int, numbers))))
    return tuple(bounds)


def _condition(table: _Table, key: str, text: str) -> Condition:
    kind, _, argument = text.partition(" ")
    if kind not in CONDITIONS or not argument:
        table.fail(key, f"{text!r} must begin with one of {', '.join(CONDITIONS)}, and say what is asked about")
    if kind == "text":
        try:
            re.compile(argument.partition(" ")[2])
        except re.error as error:
            table.fail(key, f"{text!r} has no valid expression: {error}")
    return Condition(kind, argument)


def _start(item: _Item) -> Start:
    start = Start(item.filter, item.take("root", bool), item.account(), item.take("how", str, ""), item.why, item.evidence)
    if start.account is None and (not start.root or start.how):
        item.fail("account", "is missing")
    return start


def _capability(item: _Item) -> Capability:
    name = item.take("name", str)
    if not name.isupper() or name.startswith("CAP_"):
        item.fail("name", f"must be in capitals and without CAP_, not {name!r}")
    return Capability(item.filter, name, item.one_of("when", WHENS), item.why, item.evidence)


def _path(item: _Item) -> WrittenPath:
    path = item.take("path", str)
    if not path.startswith("/") or path != path.rstrip("/"):
        item.fail("path", f"must be absolute and without a slash at its end, not {path!r}")
    moved = item.take("moved-by", str, "")
    return WrittenPath(
        item.filter,
        path,
        item.one_of("kind", KINDS),
        item.number("uid"),
        item.number("gid"),
        item.take("exec", bool, False),
        item.take("volume", bool, False),
        item.take("by-root", bool, False),
        item.one_of("fresh", FRESH) if "fresh" in item.values else "",
        item.take("owned", bool, False),
        _moved_by(item, moved) if moved else None,
        item.why,
        item.evidence,
    )


def _moved_by(item: _Item, text: str) -> Condition:
    condition = _condition(item, "moved-by", text)
    if condition.kind not in ("environment", "option"):
        item.fail("moved-by", f"{text!r} is neither an environment nor an option")
    return condition


def _verdict(item: _Item) -> Verdict:
    return Verdict(item.filter, item.take("works", bool), item.why, item.evidence, item.take("doubt", str, ""))


def _memory(item: _Item) -> Amount:
    return _amount(item, "mib", item.take("option", str, ""), item.take("times", float, 1.0), item.take("unit", float, 1.0))


def _amount(item: _Item, key: str, option: str = "", times: float = 1.0, unit: float = 1.0) -> Amount:
    amount = item.take(key, float)
    if amount <= 0:
        item.fail(key, "must be more than nothing")
    return Amount(item.filter, amount, option, times, unit, item.why, item.evidence)


def _port(item: _Item) -> Port:
    number = item.take("number", int)
    if not 0 < number < 65536:
        item.fail("number", f"{number} is no port")
    return Port(item.filter, number, item.take("protocol", str, "tcp"), item.why, item.evidence)


def _unprivileged(item: _Item) -> Unprivileged:
    works, capabilities, devices = item.take("works", bool), item.words("capabilities"), item.words("devices")
    if not works and (capabilities or devices):
        item.fail("works", "is false, so that nothing is to be given")
    return Unprivileged(item.filter, works, capabilities, devices, item.why, item.evidence)


def _heap(item: _Item) -> Heap:
    runtime, sizing = item.one_of("runtime", RUNTIMES), item.one_of("sizing", SIZINGS)
    variable, mib = item.take("variable", str, ""), item.take("mib", float, 0.0)
    if (sizing == "own") is bool(variable):
        item.fail("variable", "is missing" if not variable else "is for an image that does not size its heap itself")
    if (sizing == "fixed") is not (mib > 0):
        item.fail("mib", "belongs to a fixed size, and to no other")
    return Heap(item.filter, runtime, sizing, variable, mib, item.words("conflicts"), item.why, item.evidence)


def _healthcheck(item: _Item) -> Healthcheck:
    own, test = item.take("own", bool, False), item.take("test", str, "")
    if own is bool(test):
        item.fail("test", "is missing, where the image has none of its own" if not test else "is not needed beside `own`")
    return Healthcheck(item.filter, own, test, item.why, item.evidence)


def _inherited(item: _Item) -> Inherited:
    return Inherited(item.filter, item.take("start", bool), item.account(), item.why, item.evidence)
