"""One file of source text: its tokens and brackets, and what its names are bound to. Knows no word of any library."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from functools import cached_property

from hardener.needs.source.tokens import DIALECTS, NAME, SIGN, TEXT, Token, tokens_of
from hardener.record import NamedTuple

#: Larger files are not read.
MAX_CHARACTERS = 256 * 1024
LANGUAGES = {
    ".js": "javascript",
    ".cjs": "javascript",
    ".mjs": "javascript",
    ".jsx": "javascript",
    ".ts": "javascript",
    ".cts": "javascript",
    ".mts": "javascript",
    ".tsx": "javascript",
    ".java": "java",
    ".kt": "kotlin",
    ".go": "go",
    ".php": "php",
    ".rb": "ruby",
    ".ru": "ruby",
    ".rake": "ruby",
}
MEMBER = frozenset((".", "?.", "->", "?->", "::", "&.", "!!"))
_CLOSES = {"(": ")", "[": "]", "{": "}"}
#: What may stand before a bracket that holds a condition, not the parameters of a function.
_CONTROL = frozenset("if while for foreach switch until elseif elsif unless return when match with sizeof".split())
_DECLARES = frozenset("const let var val readonly private public protected static final global".split())
_FUNCTIONS = frozenset("function func fn def fun catch".split())
#: What may stand between the parameters of a function and its body.
_RESULT = re.compile(r"[\w$.?]+|[:,<>|&*\[\]()]|=>|->|\?")


class Binding(NamedTuple):
    """What a name is given: the expression at a token, a member of it, what a module exports under a name, or not known."""

    kind: str
    at: int = -1
    member: str = ""
    module: str = ""


UNKNOWN = Binding("unknown")


class Listing:
    """A file of source text. `path` is where the image has it; `folder` where its program will find itself, which may be
    another place when it is compiled; `origin` is its path as the user knows it."""

    def __init__(self, path: str, text: str, origin: str = "", folder: str | None = None, language: str = "") -> None:
        self.path = path
        self.text = text
        self.origin = origin or path
        self.folder = posixpath.dirname(path) if folder is None else folder
        self.language = language or LANGUAGES.get(posixpath.splitext(path)[1], "javascript")
        self.dialect = DIALECTS[self.language]

    @cached_property
    def _lexed(self) -> tuple[list[Token], bool]:
        return tokens_of(self.text, self.language)

    @property
    def tokens(self) -> list[Token]:
        """Its tokens."""
        return self._lexed[0]

    @property
    def whole(self) -> bool:
        """Whether it could be followed to its end."""
        return self._lexed[1]

    def place(self, index: int) -> str:
        """Where a token stands, as the source of evidence."""
        tokens = self.tokens
        at = tokens[index].at if 0 <= index < len(tokens) else 0
        return f"{self.origin}:{self.text.count(chr(10), 0, at) + 1}"

    @cached_property
    def closes(self) -> dict[int, int]:
        """The token that closes the bracket at a token, by both."""
        found: dict[int, int] = {}
        waiting: list[tuple[int, str]] = []
        for index, token in enumerate(self.tokens):
            if token.kind != SIGN:
                continue
            if token.text in _CLOSES:
                waiting.append((index, _CLOSES[token.text]))
            elif token.text in (")", "]", "}"):
                # A bracket that was never closed must not hide those around it.
                for depth in range(len(waiting) - 1, -1, -1):
                    if waiting[depth][1] == token.text:
                        found[waiting[depth][0]] = index
                        found[index] = waiting[depth][0]
                        del waiting[depth:]
                        break
        return found

    @cached_property
    def types(self) -> dict[str, set[str]]:
        """What names are declared as: `File folder`, `folder: File`, `folder = new File()`."""
        found: dict[str, set[str]] = {}
        if self.language not in ("java", "kotlin"):
            return found
        for index, token in enumerate(self.tokens):
            if token.kind != NAME:
                continue
            if self.name(index + 1) and token.text[:1].isupper():
                found.setdefault(self.tokens[index + 1].text, set()).add(token.text)
            elif self.is_sign(index + 1, ":", "="):
                typed = index + 3 if self.name(index + 2) == "new" else index + 2
                if self.name(typed)[:1].isupper():
                    found.setdefault(token.text, set()).add(self.name(typed))
        return found

    def is_sign(self, index: int, *signs: str) -> bool:
        """Whether one of these signs stands at a token."""
        return 0 <= index < len(self.tokens) and self.tokens[index].kind == SIGN and self.tokens[index].text in signs

    def name(self, index: int) -> str:
        """The name at a token; empty for anything else."""
        return self.tokens[index].text if 0 <= index < len(self.tokens) and self.tokens[index].kind == NAME else ""

    def arguments(self, opening: int) -> list[tuple[int, int]]:
        """The token ranges of what stands between commas in the bracket at a token."""
        end = self.closes.get(opening)
        if end is None or end <= opening:
            return []
        found: list[tuple[int, int]] = []
        start = at = opening + 1
        while at < end:
            if self.is_sign(at, ","):
                found.append((start, at))
                start = at + 1
            at = self.after(at)
        if start < end:
            found.append((start, end))
        return found

    def after(self, index: int) -> int:
        """The token after this one, or after the bracket that it opens."""
        close = self.closes.get(index, -1)
        return close + 1 if close > index else index + 1

    def expression_end(self, index: int) -> int:
        """Where the expression that begins at a token ends: at a comma, a closing bracket, or the end of the statement."""
        tokens, at, last = self.tokens, index, len(self.tokens)
        while at < last:
            token = tokens[at]
            if token.kind == SIGN and token.text in (",", ";", ")", "]", "}", "=>"):
                return at
            if at > index and self._breaks(at):
                return at
            at = self.after(at)
        return last

    def _breaks(self, index: int) -> bool:
        """Whether a statement ends at the end of the line before a token."""
        before, token = self.tokens[index - 1], self.tokens[index]
        if token.kind == SIGN and token.text not in ("(", "{", "[", "@", "!", "/regex/"):
            return False
        if before.kind == SIGN and before.text not in (")", "]", "}", "/regex/"):
            return False
        if before.kind == NAME and before.text in ("new", "await", "return", "typeof", "in", "of", "as"):
            return False
        if token.kind == SIGN and token.text == "(" and self.language == "javascript":
            return False
        start = before.at + len(before.text)
        return "\n" in self.text[start : token.at]

    @cached_property
    def bindings(self) -> dict[str, list[Binding]]:
        """All that the file's names are bound to, wherever: a name with two meanings has both."""
        found: dict[str, list[Binding]] = {}
        tokens = self.tokens
        for index, token in enumerate(tokens):
            if token.kind == SIGN:
                if token.text in ("=", ":=", "??=", "||="):
                    self._assigned(index, found)
                elif token.text in ("+=", ".=", "++", "--", "<<"):
                    if index and tokens[index - 1].kind == NAME:
                        found.setdefault(tokens[index - 1].text, []).append(UNKNOWN)
                elif token.text == "(":
                    self._parameters(index, found)
                elif token.text in ("=>", "->") and self.name(index - 1) and not self._is_member(index - 1):
                    if token.text == "=>" or self.language in ("java", "kotlin"):
                        found.setdefault(tokens[index - 1].text, []).append(UNKNOWN)
                elif token.text == "|" and self.language == "ruby":
                    self._block(index, found)
            elif token.kind == NAME and token.text == "import" and self.language == "javascript":
                self._imported(index, found)
            elif token.kind == NAME and token.text in ("const", "let", "var") and self.name(index + 2) in ("of", "in"):
                found.setdefault(self.name(index + 1), []).append(UNKNOWN)
        return found

    def _is_member(self, index: int) -> bool:
        return index > 0 and self.tokens[index - 1].kind == SIGN and self.tokens[index - 1].text in MEMBER

    def _assigned(self, index: int, found: dict[str, list[Binding]]) -> None:
        tokens = self.tokens
        value = Binding("value", index + 1)
        before = index - 1
        if self.is_sign(before, "}", "]") and self.language == "javascript":
            opening = self.closes.get(before, before)
            for start, end in self.arguments(opening):
                key = self.name(start)
                name = self.name(start + 2) if self.is_sign(start + 1, ":") and start + 2 < end else key
                if name:
                    known = tokens[opening].text == "{" and not self.is_sign(start + 1, "=") and end - start in (1, 3)
                    member = Binding("member", index + 1, key) if known else UNKNOWN
                    found.setdefault(name, []).append(member)
            return
        name = self.name(before)
        if not name:
            return
        # `const dir: string = x`: the name stands before the type.
        start = before
        while start > 0 and before - start < 12 and not self.is_sign(start, ":", ";", "{", "}", "=", ","):
            start -= 1
        if self.is_sign(start, ":") and self.name(start - 1) and self.language in ("javascript", "kotlin"):
            typed = start - 1
            if self.name(typed - 1) in _DECLARES or self.is_sign(typed - 1, ";", "{", "}", "?"):
                found.setdefault(tokens[typed].text, []).append(value)
                return
        if self.is_sign(before - 1, ",") and self.language == "go":
            # `file, err := ...`: more than one result.
            at = before
            while self.name(at) and self.is_sign(at - 1, ","):
                found.setdefault(tokens[at].text, []).append(UNKNOWN)
                at -= 2
            found.setdefault(tokens[at].text, []).append(Binding("first", index + 1))
            return
        if self._is_member(before):
            owner = self.name(before - 2)
            if owner not in ("this", "self", "$this", "static", "exports"):
                found.setdefault(f".{name}", []).append(value)
                return
        elif self._in_parameters(before):
            found.setdefault(name, []).append(UNKNOWN)
        found.setdefault(name, []).append(value)

    def _in_parameters(self, index: int) -> bool:
        """Whether `name = default` stands among the parameters of a function."""
        return self.is_sign(index - 1, "(", ",") and self.language in ("javascript", "php", "ruby", "kotlin")

    def _parameters(self, opening: int, found: dict[str, list[Binding]]) -> None:
        close = self.closes.get(opening, -1)
        if close < opening:
            return
        before = self.name(opening - 1)
        if before in _CONTROL:
            return
        if not (before in _FUNCTIONS or self.name(opening - 2) in _FUNCTIONS or self._has_body(close + 1)):
            return
        for start, end in self.arguments(opening):
            stop = next((at for at in range(start, end) if self.is_sign(at, "=")), end)
            for at in range(start, stop):
                name = self.name(at)
                if name:
                    found.setdefault(name, []).append(UNKNOWN)

    def _has_body(self, at: int) -> bool:
        for step in range(24):
            if at + step >= len(self.tokens):
                return False
            token = self.tokens[at + step]
            if token.kind == SIGN and token.text in ("{", "=>", "->"):
                return not (token.text == "->" and self.language in ("php",))
            if token.kind == TEXT or (step == 0 and token.kind == NAME and token.text != "throws"):
                return False
            if not _RESULT.fullmatch(token.text):
                return False
        return False

    def _block(self, index: int, found: dict[str, list[Binding]]) -> None:
        if not (self.is_sign(index - 1, "{") or self.name(index - 1) == "do"):
            return
        for at in range(index + 1, min(index + 12, len(self.tokens))):
            if self.is_sign(at, "|"):
                return
            if self.name(at):
                found.setdefault(self.name(at), []).append(UNKNOWN)

    def _imported(self, index: int, found: dict[str, list[Binding]]) -> None:
        """`import a, { b as c } from "m"` and `import * as d from "m"`."""
        tokens, at = self.tokens, index + 1
        names: list[tuple[str, str]] = []
        while at < len(tokens) and at - index < 400:
            token = tokens[at]
            if token.kind == TEXT:
                for name, member in names:
                    found.setdefault(name, []).append(Binding("import", index, member, token.text))
                return
            if token.kind == SIGN and token.text in ("(", ";", "."):
                return
            if token.kind == NAME and token.text not in ("from", "as", "type"):
                member = "" if self.is_sign(at - 1, "*") or not self._in_braces(at, index) else token.text
                if self.name(at + 1) == "as":
                    names.append((self.name(at + 2), member))
                    at += 3
                    continue
                if self.name(at - 1) == "as":
                    names.append((token.text, ""))
                else:
                    names.append((token.text, member))
            at += 1

    def _in_braces(self, at: int, start: int) -> bool:
        opens = [index for index in range(start, at) if self.is_sign(index, "{")]
        return bool(opens) and not any(self.is_sign(index, "}") for index in range(opens[-1], at))
