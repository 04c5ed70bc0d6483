"""The simple commands in a POSIX or Bash script, with their words. Knows no command and runs nothing.

A reader for finding commands and their arguments, not a shell: it never fails, and what it cannot follow ends up as a word.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_BARE = re.compile(r"[^\s'\"\\`$<>|&;()#]+")
_QUOTED = re.compile(r'[^"\\`$]+')
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=")
_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_DESCRIPTOR = re.compile(r"[0-9]+|\{[A-Za-z_][A-Za-z0-9_]*\}")
_REDIRECTION = re.compile(r"&>>?|>>|>\||>&|<<<|<<-|<<|<&|<>|>|<")
_SEPARATOR = re.compile(r";;&|;;|;&|;|&&|&|\|\||\|&|\|")
_BRACE_STEP = re.compile(r"[^'\"\\{}]+")
_PAREN_STEP = re.compile(r"[^'\"\\()]+")

_WRITES = frozenset((">", ">>", ">|", "&>", "&>>"))
#: Reserved words before or after a command; those of `_HEADS` begin something that is no command up to the next separator.
_AROUND = frozenset(("if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "{", "}", "!", "time"))
_HEADS = frozenset(("for", "select", "case", "function"))


class Word(NamedTuple):
    """A word without its quotes; `expands` says that variables or substitutions (left as written, `$()`) are in it."""

    text: str
    expands: bool
    start: int
    end: int


class Redirect(NamedTuple):
    """Output to a file: `>`, `>>` and their kin, with the target."""

    operator: str
    target: Word


class Command(NamedTuple):
    """One simple command: `NAME=value` words before it, its words (the name first), and where it writes to."""

    words: tuple[Word, ...]
    assignments: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    start: int
    end: int

    @property
    def name(self) -> str:
        """The command's name without its folder, empty when there is none."""
        return self.words[0].text.rpartition("/")[2] if self.words else ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the name."""
        return tuple(word.text for word in self.words[1:])


class Branch(NamedTuple):
    """A branch of a `case`: its patterns, what it spans, and whether the next one may follow it (`;&`, `;;&`)."""

    patterns: tuple[Word, ...]
    start: int
    end: int
    falls_through: bool


class Case(NamedTuple):
    """A `case`: the word that decides, and the branches in their order."""

    subject: Word
    branches: tuple[Branch, ...]


def commands(script: str) -> tuple[Command, ...]:
    """All simple commands of a script, those within substitutions too, in the order in which they begin."""
    found = _Reader(script).read()
    found.sort(key=lambda command: command.start)
    return tuple(found)


def cases(script: str) -> tuple[Case, ...]:
    """Every `case` of a script, in the order in which they begin."""
    reader = _Reader(script)
    reader.read()
    found = sorted(reader.cases, key=lambda case: case.subject.start)
    return tuple(Case(case.subject, tuple(case.branches)) for case in found)


class _Case:
    """A `case` that is being read: its branches so far, and the patterns and the begin of the one that is read."""

    __slots__ = ("branches", "patterns", "start", "subject")

    def __init__(self, subject: Word) -> None:
        self.subject = subject
        self.branches: list[Branch] = []
        self.patterns: list[Word] = []
        self.start = -1

    def end_branch(self, end: int, falls_through: bool) -> None:
        if self.start >= 0:
            self.branches.append(Branch(tuple(self.patterns), self.start, end, falls_through))
        self.patterns, self.start = [], -1


class _Frame:
    """What is being read at one level: a script, or a substitution within one of its words."""

    __slots__ = tuple(
        "assignments begin cases close expands last parens parts pattern pending quoted redirects start words".split()
    )

    def __init__(self, close: str, quoted: bool) -> None:
        self.close = close
        #: Within double quotes, where this frame's reading goes on once the substitution above it has ended.
        self.quoted = quoted
        self.parens = 0
        #: The `case`s that are open.
        self.cases: list[_Case] = []
        #: Before a `case` branch's closing parenthesis.
        self.pattern = False
        self.parts: list[str] | None = None
        self.start = 0
        self.expands = False
        self.pending = ""
        self.clear()

    def clear(self) -> None:
        """Begin a new command."""
        self.words: list[Word] = []
        self.assignments: list[Word] = []
        self.redirects: list[Redirect] = []
        self.begin = -1
        self.last = -1


class _Reader:
    __slots__ = ("at", "bodies", "cases", "found", "frame", "script", "stack")

    def __init__(self, script: str) -> None:
        self.script = script
        self.at = 0
        self.found: list[Command] = []
        self.cases: list[_Case] = []
        self.frame = _Frame("", False)
        self.stack: list[_Frame] = []
        #: Ends of here-documents that begin at the next line, and whether their tabs are stripped.
        self.bodies: list[tuple[str, bool]] = []

    def read(self) -> list[Command]:
        script, end = self.script, len(self.script)
        while self.at < end:
            if self.frame.quoted:
                self._step_quoted()
                continue
            bare = _BARE.match(script, self.at)
            if bare:
                self._add(bare.group(), bare.end())
                continue
            char = script[self.at]
            if char == "\n":
                self._end_command()
                self.at += 1
                self._skip_bodies()
            elif char.isspace():
                self._end_word()
                self.at += 1
            elif char == "#":
                self._hash()
            elif char == "'":
                close = script.find("'", self.at + 1)
                close = end if close == -1 else close
                self._add(script[self.at + 1 : close], min(close + 1, end))
            elif char == '"':
                self._add("", self.at + 1)
                self.frame.quoted = True
            elif char == "\\":
                self._escape()
            elif char in "$`":
                self._expansion(char)
            elif char in "<>" or script.startswith("&>", self.at):
                self._redirection()
            elif char == "(":
                self._open()
            elif char == ")":
                self._close()
            else:
                self._separator()
        while self.stack:
            self._end_command()
            self.frame = self.stack.pop()
        self._end_command()
        return self.found

    def _add(self, text: str, to: int, expands: bool = False) -> None:
        frame = self.frame
        if frame.parts is None:
            frame.parts = []
            frame.start = self.at
            frame.expands = False
        frame.parts.append(text)
        frame.expands = frame.expands or expands
        self.at = to

    def _step_quoted(self) -> None:
        script = self.script
        plain = _QUOTED.match(script, self.at)
        if plain:
            self._add(plain.group(), plain.end())
            return
        char = script[self.at]
        if char == '"':
            self.frame.quoted = False
            self.at += 1
        elif char == "\\":
            after = script[self.at + 1 : self.at + 2]
            self._add("" if after == "\n" else after if after in '"\\$`' else char + after, min(self.at + 2, len(script)))
        else:
            self._expansion(char)

    def _escape(self) -> None:
        after = self.script[self.at + 1 : self.at + 2]
        if after == "\n":
            self.at += 2
        else:
            self._add(after, min(self.at + 2, len(self.script)))

    def _hash(self) -> None:
        if self.frame.parts is not None:
            self._add("#", self.at + 1)
            return
        end = self.script.find("\n", self.at)
        self.at = len(self.script) if end == -1 else end

    def _expansion(self, char: str) -> None:
        script, at = self.script, self.at
        if char == "`":
            if self.frame.close == "`":
                self._end_command()
                self._pop()
            else:
                self._push("`", 1)
        elif script.startswith("$((", at):
            self._add("$()", self._matching(at + 1, _PAREN_STEP, "(", ")"), expands=True)
        elif script.startswith("$(", at):
            self._push(")", 2)
        elif script.startswith("${", at):
            end = self._matching(at + 1, _BRACE_STEP, "{", "}")
            self._add(script[at:end], end, expands=True)
        else:
            variable = _VARIABLE.match(script, at)
            self._add(variable.group() if variable else "$", variable.end() if variable else at + 1, variable is not None)

    def _push(self, close: str, width: int) -> None:
        self._add("$()", self.at + width, expands=True)
        self.stack.append(self.frame)
        self.frame = _Frame(close, False)

    def _pop(self) -> None:
        self.frame = self.stack.pop()
        self.at += 1

    def _matching(self, at: int, plain: re.Pattern[str], opening: str, closing: str) -> int:
        """The offset after the bracket that closes the one at `at`, quotes and escapes skipped; the end without one."""
        script = self.script
        depth = 0
        while at < len(script):
            step = plain.match(script, at)
            if step:
                at = step.end()
                continue
            char = script[at]
            at = min(at + (2 if char == "\\" else 1), len(script))
            if char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
                if not depth:
                    return at
            elif char == "'" and not self.frame.quoted:
                close = script.find("'", at)
                at = len(script) if close == -1 else close + 1
        return len(script)

    def _redirection(self) -> None:
        script, frame = self.script, self.frame
        if self._in_test():
            self._add(script[self.at], self.at + 1)
            return
        if script.startswith(("<(", ">("), self.at):
            self._push(")", 2)
            return
        if frame.parts is not None and _DESCRIPTOR.fullmatch(script, frame.start, self.at):
            frame.parts = None
        else:
            self._end_word()
        match = _REDIRECTION.match(script, self.at)
        assert match is not None
        frame.pending = match.group()
        if frame.begin < 0:
            frame.begin = self.at
        self.at = match.end()
        frame.last = self.at

    def _in_test(self) -> bool:
        words = self.frame.words
        return bool(words) and words[0].text == "[[" and words[-1].text != "]]"

    def _open(self) -> None:
        script, frame = self.script, self.frame
        if self._in_test():
            self._add("(", self.at + 1)
        elif frame.parts is not None and script[self.at - 1] == "=":
            self._add("()", self._matching(self.at, _PAREN_STEP, "(", ")"), expands=True)
        elif frame.pattern:
            self._end_word()
            self.at += 1
        elif script.startswith("((", self.at) and frame.parts is None and not frame.words:
            self.at = self._matching(self.at, _PAREN_STEP, "(", ")")
        else:
            self._end_word()
            rest = self.at + 1
            while rest < len(script) and script[rest] in " \t":
                rest += 1
            if len(frame.words) == 1 and script.startswith(")", rest):
                # The head of a function.
                frame.clear()
                self.at = rest + 1
                return
            self._end_command()
            frame.parens += 1
            self.at += 1

    def _close(self) -> None:
        frame = self.frame
        if self._in_test():
            self._add(")", self.at + 1)
            return
        if frame.pattern:
            self._end_word()
        if frame.pattern:
            frame.pattern = False
            self.at += 1
            frame.cases[-1].start = self.at
        else:
            self._end_command()
            if frame.parens:
                frame.parens -= 1
                self.at += 1
            elif frame.close == ")":
                self._pop()
            else:
                self.at += 1

    def _separator(self) -> None:
        match = _SEPARATOR.match(self.script, self.at)
        assert match is not None
        if self._in_test() and match.group() in ("&&", "||", "|", "&"):
            self._end_word()
            self._add(match.group(), match.end())
            return
        frame = self.frame
        if frame.pattern:
            self._end_word()
        if not frame.pattern:  # nor after an `esac` that ends here
            self._end_command()
            if frame.cases and match.group().startswith((";;", ";&")):
                frame.pattern = True
                frame.cases[-1].end_branch(self.at, match.group() != ";;")
        self.at = match.end()

    def _end_word(self) -> None:
        frame = self.frame
        if frame.parts is None:
            return
        word = Word("".join(frame.parts), frame.expands, frame.start, self.at)
        raw = self.script[word.start : word.end] if word.end - word.start <= 8 else ""
        frame.parts = None
        if frame.pending:
            operator, frame.pending = frame.pending, ""
            if operator in _WRITES:
                frame.redirects.append(Redirect(operator, word))
            elif operator in ("<<", "<<-"):
                self.bodies.append((word.text, operator == "<<-"))
            frame.last = word.end
            return
        if frame.pattern:
            if raw == "esac":
                frame.pattern = False
                frame.cases.pop()
            else:
                frame.cases[-1].patterns.append(word)
            return
        if not frame.words:
            if not frame.assignments and raw in _AROUND:
                if raw == "esac" and frame.cases:
                    frame.cases.pop().end_branch(word.start, False)
                return
            if _ASSIGNMENT.match(self.script, word.start, word.end):
                frame.assignments.append(word)
            else:
                frame.words.append(word)
        else:
            head = frame.words[0].text
            if head == "case" and raw == "in" and len(frame.words) == 2:
                frame.cases.append(_Case(frame.words[1]))
                self.cases.append(frame.cases[-1])
                frame.clear()
                frame.pattern = True
                return
            if head == "function" and raw == "{":
                frame.clear()
                return
            frame.words.append(word)
        if frame.begin < 0:
            frame.begin = word.start
        frame.last = word.end

    def _end_command(self) -> None:
        self._end_word()
        frame = self.frame
        words, assignments, redirects = tuple(frame.words), tuple(frame.assignments), tuple(frame.redirects)
        if (words or assignments or redirects) and not (words and words[0].text in _HEADS):
            self.found.append(Command(words, assignments, redirects, frame.begin, frame.last))
        frame.pending = ""
        frame.clear()

    def _skip_bodies(self) -> None:
        script = self.script
        for name, chomp in self.bodies:
            while self.at < len(script):
                end = script.find("\n", self.at)
                end = len(script) if end == -1 else end
                line = script[self.at : end].rstrip("\r")
                self.at = min(end + 1, len(script))
                if (line.lstrip("\t") if chomp else line) == name:
                    break
        self.bodies.clear()
