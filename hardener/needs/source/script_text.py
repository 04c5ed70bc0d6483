"""The text of a shell script: commands, functions and assignments, with their places. Knows no value and no file."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property, lru_cache

from hardener.record import NamedTuple
from hardener.syntax import shell

_FUNCTION = re.compile(
    r"^([ \t]*)(?:function[ \t]+([\w:.-]+)[ \t]*(?:\([ \t]*\))?|([A-Za-z_][\w:.-]*)[ \t]*\([ \t]*\))\s*([{(])(.*)$", re.MULTILINE
)
_LOOP = re.compile(r"\b(?:for|select)[ \t]+([A-Za-z_]\w*)(?:\s+in[ \t]+((?:\\\n|[^;\n])*)|(?=\s*(?:;|\n|do\b)))")
_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*):?=([^{}]*)\}")
_NAMED = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+?)=")
_NAME = re.compile(r"[A-Za-z_]\w*")
#: Built-in commands whose words are assignments, and those that give variables a value of their own.
_DECLARING = frozenset(("export", "local", "declare", "typeset", "readonly"))
_FILLING = frozenset(("read", "getopts", "mapfile", "readarray", "printf"))
#: Words that open and close a loop or condition, where a command may begin.
_OPENS = re.compile(r"(?:^|[;&|]|\b(?:then|do|else|elif|in)\b)[ \t]*(?:if|for|while|until|select|case)\b", re.MULTILINE)
_CLOSES = re.compile(r"(?:^|[;&|])[ \t]*(?:fi|done|esac)\b", re.MULTILINE)
#: What stands between a command and the one that reads what it says: the end of its group, with what that is redirected to, and
#: the beginning of another.
_PIPE = re.compile(
    r"(?:\s++|[;)}]|(?:done|fi|esac)\b|[0-9]*+[<>]++&?\s*+[^\s|;&()]++)*+\|(?!\|)&?\s*+([{(]|(?:while|until|for|if|case|select)\b)?"
)
#: Commands that hand on what others say, and take little for it.
_HANDING_ON = frozenset("echo printf cat head tail tee grep egrep fgrep sed awk tr cut wc sort uniq read".split())
#: What a line ends in whose next one is part of it, or depends on it.
_GOES_ON = ("\\", "&&", "||", "|", "(")


class Assigned(NamedTuple):
    """A value that a variable is given somewhere."""

    name: str
    #: The words as they are written, with their offsets; None where the value is not known.
    raw: tuple[tuple[str, int], ...] | None
    offset: int
    #: The function that it stands in; empty outside of one.
    function: str
    #: Whether it is made whenever the line before it is reached: outside of functions, loops and conditions.
    certain: bool
    #: Whether the words are all values in turn, as those of a `for` are.
    loop: bool = False


class Text:
    """A script, or a piece of one, as it stands in the file `label`; without a label all of it stands at one place, `at`."""

    def __init__(self, script: str, label: str, at: str = "") -> None:
        self.script = script
        self.label = label
        self._at = at
        self.commands = shell.commands(script)
        self.cases = shell.cases(script) if "esac" in script else ()
        #: Names and ranges of functions, in the order in which they begin.
        self.functions = tuple(_functions(script))
        self.exported: set[str] = set()
        #: Whether variables are set whose names are not known.
        self.sets_any = False
        self.assigned = tuple(self._assignments())
        self._inner: dict[tuple[int, int], list[shell.Command]] = {}

    def at(self, offset: int) -> str:
        """Where an offset stands, as the source of evidence."""
        return f"{self.label}:{self.script.count(chr(10), 0, offset) + 1}" if self.label else self._at

    def function_at(self, offset: int) -> str:
        """The innermost function around an offset; empty outside of one."""
        return next((name for name, start, end in reversed(self.functions) if start <= offset < end), "")

    def inner(self, start: int, end: int) -> list[shell.Command]:
        """The commands of a substitution that is written between two offsets, without those within their own words."""
        if (start, end) in self._inner:
            return self._inner[start, end]
        inside = [command for command in self.commands if start < command.start and command.end < end]
        found = [c for c in inside if not any(o.start < c.start and c.end < o.end for o in inside)]
        self._inner[start, end] = found
        return found

    @property
    def has_pipe(self) -> bool:
        """Whether two programs may run at once because one reads what the other says."""
        if "<(" in self.script or ">(" in self.script:
            return True
        # For each command that others stand within, and all of the text: where the last one there ended, and how many run.
        levels: list[tuple[int, int, int]] = [(len(self.script) + 1, -1, 0)]
        for command in self.commands:
            while command.start >= levels[-1][0]:
                levels.pop()
            within, end, working = levels[-1]
            pipe = _PIPE.match(self.script, end, command.start) if end >= 0 else None
            # Of a group that reads, its first command tells nothing.
            reads = pipe is not None and pipe[1] is not None
            working = (working if pipe else 0) + (reads or command.name not in _HANDING_ON)
            if working > 1:
                return True
            levels[-1] = (within, command.end, working)
            levels.append((command.end, -1, 0))
        return False

    def raw(self, word: shell.Word) -> str:
        """A word as it is written."""
        return self.script[word.start : word.end]

    def is_substituted(self, command: shell.Command) -> bool:
        """Whether a command stands within a word of another, or in brackets that open on its line: what it sets ends there."""
        line = self.script.rfind("\n", 0, command.start) + 1
        before = self.script[line : command.start]
        return "(" in before and before.count("(") > before.count(")")

    def is_certain(self, offset: int) -> bool:
        """Whether what begins here is at the start of a line that no other one leads to, and in no loop or condition."""
        before = self.script[:offset]
        if (before and not before.endswith("\n")) or self._is_inside(offset):
            return False
        return not before.rstrip().endswith(_GOES_ON) and not self.function_at(offset)

    def _is_inside(self, offset: int) -> bool:
        """Whether more loops and conditions were opened than closed before; what is no keyword may count as one that opens."""
        at = bisect_left(self._steps, (offset,))
        return at > 0 and self._steps[at - 1][1] > 0

    @cached_property
    def _steps(self) -> tuple[tuple[int, int], ...]:
        """After which offsets how many loops and conditions are open."""
        steps = [(match.start(), 1) for match in _OPENS.finditer(self.script)]
        steps += [(match.start(), -1) for match in _CLOSES.finditer(self.script)]
        depth, found = 0, []
        for offset, step in sorted(steps):
            depth = max(0, depth + step)
            found.append((offset, depth))
        return tuple(found)

    def _assignments(self) -> Iterator[Assigned]:
        for command in self.commands:
            function = self.function_at(command.start)
            certain = self.is_certain(command.start)
            name = command.name
            words = command.assignments if not command.words else command.words[1:] if name in _DECLARING else ()
            for word in words:
                yield from self._declared(word, command, function, certain)
            if name == "set" and any(word in ("-a", "allexport") for word in command.arguments):
                self.exported.update(found.name for text in (self.script,) for found in _names(text))
            if name in _FILLING:
                yield from self._filled(command, function)
            if name == "unset":
                for unset in command.arguments:
                    yield Assigned(unset, (("", command.start),), command.start, function, False)
            if name == "eval":
                self.sets_any = True
        for match in _LOOP.finditer(self.script):
            line = self.script[self.script.rfind("\n", 0, match.start()) + 1 : match.start()]
            if not line.lstrip().startswith("#"):
                words_of = shell.commands(f"_ {match[2]}") if match[2] is not None else shell.commands('_ "$@"')
                start = match.start(2) - 2 if match[2] is not None else -1_000_000
                raw = tuple((_cut(match[2], word), start + word.start) for found in words_of[:1] for word in found.words[1:])
                # Where its variable is used, the loop runs.
                yield Assigned(match[1], raw, match.start(), self.function_at(match.start()), True, loop=True)
        for match in _DEFAULT.finditer(self.script):
            yield Assigned(match[1], ((match[2], match.start(2)),), match.start(), self.function_at(match.start()), False)

    def _declared(self, word: shell.Word, command: shell.Command, function: str, certain: bool) -> Iterator[Assigned]:
        raw = self.raw(word)
        named = _NAMED.match(raw)
        exports = command.name == "export"
        if named is None:
            if exports and _NAME.fullmatch(raw):
                self.exported.add(raw)
            elif command.words and not raw.startswith("-") and not _NAME.fullmatch(raw):
                self.sets_any = True
            return
        if exports:
            self.exported.add(named[1])
        value = raw[named.end() :]
        known = not named[2] and not named[3] and not value.startswith("(")
        raws = ((value, word.start + named.end()),) if known else None
        local = function != "" and command.name in ("local", "declare", "typeset")
        yield Assigned(named[1], raws, command.start, function, certain or local)

    def _filled(self, command: shell.Command, function: str) -> Iterator[Assigned]:
        words = command.arguments
        if command.name == "printf":
            words = words[1:2] if words[:1] == ("-v",) else ()
        elif command.name == "getopts":
            words = words[1:2]
        for word in words:
            if _NAME.fullmatch(word):
                yield Assigned(word, None, command.start, function, False)


def _cut(words: str | None, word: shell.Word) -> str:
    return '"$@"' if words is None else words[word.start - 2 : word.end - 2]


@lru_cache(maxsize=64)
def _names(script: str) -> tuple[Assigned, ...]:
    found = (_NAMED.match(script, word.start) for command in shell.commands(script) for word in command.assignments)
    return tuple(Assigned(match[1], None, 0, "", False) for match in found if match)


def _functions(script: str) -> Iterator[tuple[str, int, int]]:
    for match in _FUNCTION.finditer(script):
        indent, name, closing = match[1], match[2] or match[3], "}" if match[4] == "{" else ")"
        rest = match[5].split(" #")[0].rstrip()
        if rest.endswith(closing) and (rest[:-1].rstrip().endswith((";", "&", closing)) or closing == ")"):
            end = match.end()
        else:
            close = re.compile(rf"^{re.escape(indent)}{re.escape(closing)}", re.MULTILINE).search(script, match.end())
            end = close.end() if close else len(script)
        yield name, match.start(), end
