"""What a chart's templates write, with the names of values in the place of values. Knows no YAML and no Kubernetes.

Nothing is run. Every branch of an `if` is written, one after the other, since any of them may be what people get; for each
piece it is told whether the chart's own values lead there. What the functions do: Helm's and sprig's documentation.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from typing import TypeAlias

from hardener.errors import HardenError
from hardener.record import NamedTuple
from hardener.syntax.gotemplate import Block, Do, Literal, Name, Operand, Part, Pipe, Text

#: Templates that include more than this are cut off: no chart that is kept writes as much for one object.
_MOST_WRITTEN = 1_500_000
_MOST_STEPS = 60_000
_DEEPEST = 24
#: A value that may come from more keys than this, or from a deeper one, counts as not known: templates that make a variable of
#: itself twice would double them each time.
_MOST_KEYS = 64
_LONGEST_KEY = 32
#: In a written text: where a line comes from, and a hole. Sources with these characters are not read.
MARK = re.compile("\x01(\\d++),(\\d++),([-+?])\x02")
HOLE = re.compile("\x03(\\d++)\x02")
_BEFORE = re.compile("(?:\\s|\x01[^\x02]*+\x02)*+")

Path: TypeAlias = "tuple[str, ...]"


class Overrun(HardenError):
    """The templates write more than is followed."""


class Keys(NamedTuple):
    """The value under one of these keys, the first that has one; else `otherwise`."""

    paths: tuple[Path, ...]
    otherwise: str | None = None


class Scope(NamedTuple):
    """Members with names: the whole of a chart, a `dict`, or a `list` by its numbers; what it lacks may be in `also`."""

    members: Mapping[str, Meaning]
    also: Keys | None = None


#: What an expression stands for: values, a scope, a text with holes; None where that is not known.
Meaning: TypeAlias = "Keys | Scope | str | None"


class Hole(NamedTuple):
    """A place that is filled from values; no keys where it is not known from which."""

    keys: Keys
    #: Whether the chart's own values lead here; None where that is not known.
    live: bool | None
    #: The expression hands on a whole value as YAML, not a word of one.
    whole: bool = False


#: What takes its result from one of its arguments, by its place.
_LIKE = {
    **dict.fromkeys(("tpl", "omit", "pick", "deepCopy", "mustDeepCopy"), 0),
    **dict.fromkeys(
        "toYaml mustToYaml toYamlPretty toJson mustToJson toPrettyJson toRawJson fromYaml quote squote toString int int64 lower "
        "upper trimSuffix trimPrefix required replace trunc nospace toStrings first uniq compact".split(),
        -1,
    ),
}
_MERGED = frozenset("merge mustMerge coalesce concat".split())
_LONGER = frozenset("append mustAppend prepend mustPrepend".split())
_OVERWRITTEN = frozenset("mergeOverwrite mustMergeOverwrite".split())
_YAML = frozenset("toYaml mustToYaml toYamlPretty toJson mustToJson toPrettyJson toRawJson".split())
#: Named templates of Bitnami's library chart `common` (bitnami/charts, templates/_tplvalues.tpl, _compatibility.tpl and
#: _images.tpl at 5165628ae06697f8f68a670bef7739d93c4b7f44), which is seldom beside a chart: the argument that they write out.
_WRITES = {
    "common.tplvalues.render": "value",
    "common.tplvalues.merge": "values",
    "common.tplvalues.merge-overwrite": "values",
    "common.compatibility.renderSecurityContext": "secContext",
}
_WRITES_IMAGE = "common.images.image"
_FORMAT = re.compile(r"%[-+ #0-9.]*+[a-zA-Z%]")


class Expansion:
    """Writes templates out. `value` gives what the chart itself sets at a path: True or False for its truth, None for unknown."""

    def __init__(
        self, defines: Mapping[str, tuple[int, tuple[Part, ...]]], root: Scope, truth: Callable[[Path], bool | None]
    ) -> None:
        self._defines = defines
        self._root = root
        self._truth_at = truth
        self.holes: list[Hole] = []
        self._written = 0
        self._steps = 0
        self._depth = 0
        self._file = 0
        self._live: bool | None = True

    def written(self, file: int, parts: tuple[Part, ...]) -> str:
        """The text of a template, with marks and holes. Raises `Overrun`."""
        self._file = file
        self._live = True
        return self._parts(parts, self._root, ChainMap({"$": self._root}))

    def _parts(self, parts: tuple[Part, ...], dot: Meaning, names: ChainMap[str, Meaning]) -> str:
        found: list[str] = []
        for part in parts:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise Overrun("templates that include too much")
            if isinstance(part, Text):
                found.append(self._marked(part))
            elif isinstance(part, Block):
                found.append(self._block(part, dot, names))
            else:
                found.append(self._mark(part.line))
                found.append(self._do(part, dot, names))
        return self._spend("".join(found))

    def _marked(self, part: Text) -> str:
        lines = part.text.split("\n")
        return "\n".join(self._mark(part.line + number) + line for number, line in enumerate(lines))

    def _mark(self, line: int) -> str:
        return f"\x01{self._file},{line},{'?' if self._live is None else '+' if self._live else '-'}\x02"

    def _spend(self, text: str) -> str:
        self._written += len(text)
        if self._written > _MOST_WRITTEN:
            raise Overrun("templates that write too much")
        return text

    def _do(self, part: Do, dot: Meaning, names: ChainMap[str, Meaning]) -> str:
        meaning = self._pipe(part.pipe, dot, names)
        if part.pipe.variables:
            self._keep(part.pipe, meaning, names)
            return ""
        return self._shown(meaning)

    def _keep(self, pipe: Pipe, meaning: Meaning, names: ChainMap[str, Meaning]) -> None:
        name = pipe.variables[-1]
        if pipe.declares:
            names[name] = meaning
            return
        for scope in names.maps:
            if name in scope:
                old = scope[name]
                # The other branches may be the one that counts.
                scope[name] = _either(meaning, old) if isinstance(old, Keys) else meaning
                return

    def _shown(self, meaning: Meaning, whole: bool = False) -> str:
        if isinstance(meaning, str):
            return meaning
        keys = meaning if isinstance(meaning, Keys) else Keys(())
        self.holes.append(Hole(keys, self._live, whole))
        return f"\x03{len(self.holes) - 1}\x02"

    def _block(self, block: Block, dot: Meaning, names: ChainMap[str, Meaning]) -> str:
        before = self._live
        inner = names.new_child()
        truth = self._truth(block.pipe, dot, inner)
        meaning = self._pipe(block.pipe, dot, inner) if block.kind != "if" or block.pipe.variables else None
        within = dot
        if block.kind == "with":
            within = meaning
        elif block.kind == "range":
            within = meaning = _item(meaning)
            if len(block.pipe.variables) == 2:
                inner[block.pipe.variables[0]] = None
            truth = None
        if block.pipe.variables:
            inner[block.pipe.variables[-1]] = meaning
        self._live = _both(before, truth)
        body = self._parts(block.body, within, inner)
        self._live = _both(before, None if truth is None else not truth)
        otherwise = self._parts(block.otherwise, dot, names.new_child())
        self._live = before
        return body + otherwise

    def _pipe(self, pipe: Pipe, dot: Meaning, names: ChainMap[str, Meaning]) -> Meaning:
        meaning: Meaning = None
        for number, command in enumerate(pipe.commands):
            meaning = self._command(command, dot, names, (meaning,) if number else ())
        return meaning

    def _command(
        self, command: tuple[Operand, ...], dot: Meaning, names: ChainMap[str, Meaning], piped: tuple[Meaning, ...]
    ) -> Meaning:
        self._steps += 1
        if not command:
            return None
        head = command[0]
        if not isinstance(head, Name):
            return self._operand(head, dot, names)
        given = [self._operand(operand, dot, names) for operand in command[1:]]
        given += piped
        return self._call(head.value, given)

    def _operand(self, operand: Operand, dot: Meaning, names: ChainMap[str, Meaning]) -> Meaning:
        if isinstance(operand, Literal):
            return operand.value.translate(_PLAIN)
        if isinstance(operand, Pipe):
            return self._pipe(operand, dot, names)
        if isinstance(operand, Name):
            return self._call(operand.value, [])
        if isinstance(operand.base, Pipe):
            base = self._pipe(operand.base, dot, names)
        else:
            base = dot if operand.base == "." else names.get(operand.base)
        for name in operand.names:
            base = _member(base, name)
        return base

    def _call(self, name: str, given: list[Meaning]) -> Meaning:
        if name in _YAML and given:
            self._spend("")
            value = given[-1]
            return self._shown(value, whole=True) if isinstance(value, Keys) else value if isinstance(value, str) else None
        if name == "include":
            return self._include(given)
        if name in ("nindent", "indent") and len(given) == 2:
            return self._indented(name, given)
        if name in _LIKE and given:
            return given[0 if _LIKE[name] == 0 or len(given) == 1 else -1]
        if name == "default" and len(given) == 2:
            return _either(given[1], given[0])
        if name == "ternary" and len(given) >= 2:
            return _either(given[0], given[1])
        if name == "or":
            return _any(given)
        if name == "and":
            return given[-1] if given else None
        if name in _MERGED:
            return _any(given)
        if name in _LONGER and len(given) == 2:
            return Scope({"0": _or_of(given[1], _item(given[0]))})
        if name in _OVERWRITTEN:
            return _any(given[::-1])
        if name == "dict":
            return Scope({key: given[at + 1] for at, key in enumerate(given[:-1]) if at % 2 == 0 and isinstance(key, str)})
        if name in ("list", "tuple"):
            return Scope({str(number): item for number, item in enumerate(given)})
        if name in ("index", "get") and given:
            found = given[0]
            for key in given[1:]:
                found = _member(found, key) if isinstance(key, str) else _item(found)
            return found
        if name == "dig" and len(given) >= 3:
            found = given[-1]
            for key in given[:-2]:
                found = _member(found, key) if isinstance(key, str) else None
            return _either(found, given[-2])
        if name in ("printf", "print"):
            return self._printed(name, given)
        if name in ("trim", "trimAll") and given:
            return _trimmed(given[-1])
        if name in ("true", "false") or name[:1].isdigit() or name[:1] == "-":
            return name
        return None

    def _printed(self, name: str, given: list[Meaning]) -> Meaning:
        if name == "print" or not given or not isinstance(given[0], str):
            return self._spend("".join(self._shown(item) for item in given))
        rest = iter(given[1:])
        return self._spend(_FORMAT.sub(lambda match: "%" if match.group() == "%%" else self._shown(next(rest, None)), given[0]))

    def _indented(self, name: str, given: list[Meaning]) -> str:
        width = given[0]
        pad = " " * min(int(width), 80) if isinstance(width, str) and width.isdecimal() and len(width) < 6 else ""
        text = self._spend(self._shown(given[1], whole=isinstance(given[1], Keys)))
        return self._spend(("\n" if name == "nindent" else "") + pad + text.replace("\n", "\n" + pad))

    def _include(self, given: list[Meaning]) -> Meaning:
        if not given or not isinstance(given[0], str):
            return None
        about = given[1] if len(given) > 1 else None
        argument = _WRITES.get(given[0])
        if argument and isinstance(about, Scope) and argument in about.members:
            value = about.members[argument]
            return _any(list(value.members.values())) if isinstance(value, Scope) else value
        if given[0] == _WRITES_IMAGE and isinstance(about, Scope) and isinstance(about.members.get("imageRoot"), Keys):
            image = about.members["imageRoot"]
            registry, name, tag = (self._shown(_member(image, part)) for part in ("registry", "repository", "tag"))
            return f"{registry}/{name}:{tag}"
        found = self._defines.get(given[0])
        if found is None or self._depth >= _DEEPEST:
            return None
        file, line = self._file, self._depth
        self._file, self._depth = found[0], self._depth + 1
        text = self._parts(found[1], about, ChainMap({"$": about}))
        self._file, self._depth = file, line
        return text

    def _truth(self, pipe: Pipe, dot: Meaning, names: ChainMap[str, Meaning]) -> bool | None:
        """Whether a condition holds with the chart's own values."""
        if len(pipe.commands) != 1 or not pipe.commands[0]:
            return None
        return self._holds(pipe.commands[0], dot, names)

    def _holds(self, command: tuple[Operand, ...], dot: Meaning, names: ChainMap[str, Meaning]) -> bool | None:
        head = command[0]
        if isinstance(head, Pipe) and len(command) == 1:
            return self._truth(head, dot, names)
        if isinstance(head, Name) and head.value in ("not", "and", "or"):
            each = [self._holds((operand,), dot, names) for operand in command[1:]]
            if head.value == "not":
                return None if not each or each[0] is None else not each[0]
            stop = head.value == "or"
            return stop if stop in each else None if None in each else not stop
        meaning = self._command(command, dot, names, ())
        if isinstance(meaning, Keys):
            known = [self._truth_at(path) for path in meaning.paths]
            return True if True in known or meaning.otherwise else None if None in known or not known else False
        if isinstance(meaning, str) and not HOLE.search(meaning):
            return MARK.sub("", meaning).strip() not in ("", "false", "0")
        return True if isinstance(meaning, Scope) else None


_PLAIN = {1: None, 2: None, 3: None}


def _both(first: bool | None, second: bool | None) -> bool | None:
    return False if first is False or second is False else None if None in (first, second) else True


def _member(meaning: Meaning, name: str) -> Meaning:
    if isinstance(meaning, Scope):
        return _either(meaning.members.get(name), _member(meaning.also, name))
    if isinstance(meaning, Keys):
        return Keys(tuple((*path, name) for path in meaning.paths if len(path) < _LONGEST_KEY))
    return None


def _item(meaning: Meaning) -> Meaning:
    """What any one of a collection is."""
    if isinstance(meaning, Scope):
        return _any(list(meaning.members.values()))
    return _member(meaning, "*")


def _or_of(item: Meaning, others: Meaning) -> Meaning:
    """One of several things: with the members of both."""
    if isinstance(item, Scope) and isinstance(others, Keys):
        return Scope(item.members, others)
    return _any([item, others])


def _either(first: Meaning, second: Meaning) -> Meaning:
    """The first where there is something, else the second."""
    if isinstance(first, Keys):
        if isinstance(second, Keys):
            if len(first.paths) + len(second.paths) > 2 * _MOST_KEYS:
                return Keys(())
            return Keys(tuple(dict.fromkeys(first.paths + second.paths)), second.otherwise)
        plain = isinstance(second, str) and not HOLE.search(second)
        return Keys(first.paths, MARK.sub("", second) if plain and isinstance(second, str) else None)
    return first if first is not None else second


def _any(given: list[Meaning]) -> Meaning:
    found: Meaning = None
    for item in given:
        found = _either(found, item) if isinstance(found, Keys) or not isinstance(item, Keys) else item
    return found


def _trimmed(meaning: Meaning) -> Meaning:
    if not isinstance(meaning, str):
        return meaning
    match = _BEFORE.match(meaning)
    start = match.end() if match else 0
    marks = MARK.findall(meaning, 0, start)
    return ("\x01{},{},{}\x02".format(*marks[-1]) if marks else "") + meaning[start:].rstrip()
