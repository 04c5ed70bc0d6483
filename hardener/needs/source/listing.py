"""One file of source text: its tokens and brackets, and what its names are bound to. Knows no word of any library."""

from __future__ import annotations

import posixpath
import re
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
    """What a name is given: the expression at a token, a member of it, what a module exports under a name, or not known.

    `scope` is the bracket of the block in which it is seen: -1 for the whole file, None for an assignment, which is seen where
    the declaration that it belongs to is.
    """

    kind: str
    at: int = -1
    member: str = ""
    module: str = ""
    scope: int | None = -1


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
        #: What its names stand for, as far as `hardener.needs.source.naming` was asked: bindings, modules, and their members.
        self.modules: dict[tuple[str, int], tuple[tuple[Binding, str, str], ...]] = {}

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
                        found.setdefault(tokens[index - 1].text, []).append(UNKNOWN._replace(at=index, scope=None))
                elif token.text == "(":
                    self._parameters(index, found)
                elif token.text in ("=>", "->") and self.name(index - 1) and not self._is_member(index - 1):
                    if token.text == "=>" or self.language in ("java", "kotlin"):
                        self._lambda(index, found)
                elif token.text == "|" and self.language == "ruby":
                    self._yielded(index, found)
            elif token.kind == NAME and token.text == "import" and self.language == "javascript":
                self._imported(index, found)
            elif token.kind == NAME and token.text in ("const", "let", "var") and self.name(index + 2) in ("of", "in"):
                found.setdefault(self.name(index + 1), []).append(UNKNOWN._replace(scope=self._scope(index)))
        return found

    def bound(self, name: str, at: int) -> list[Binding]:
        """What a name is bound to where it stands at a token: by the innermost block around it that declares it."""
        bindings = self.bindings.get(name, [])
        if len(bindings) < 2 and not (bindings and bindings[0].scope not in (None, -1)):
            return bindings
        declared = {binding.scope for binding in bindings if binding.scope is not None}
        scope = self._innermost(declared, at)
        return [
            binding
            for binding in bindings
            if (binding.scope if binding.scope is not None else self._innermost(declared, binding.at)) == scope
        ]

    def fields(self, name: str) -> list[Binding]:
        """What a field of that name is bound to: in the body of its class, and by `this.name = ...`."""
        found = [
            binding for binding in self.bindings.get(name, ()) if binding.scope is not None and self._is_class(binding.scope)
        ]
        return found + self.bindings.get(f"this.{name}", [])

    def _innermost(self, scopes: set[int], at: int) -> int:
        around = [
            scope for scope in scopes if scope >= 0 and self._spans.get(scope, (scope, self.closes.get(scope, -1)))[0] <= at
        ]
        around = [scope for scope in around if at <= self._spans.get(scope, (scope, self.closes.get(scope, -1)))[1]]
        return max(around, default=-1)

    def _is_class(self, scope: int) -> bool:
        at = scope - 1
        while at >= 0 and scope - at < 24 and not self.is_sign(at, ";", "{", "}"):
            if self.name(at) in ("class", "interface", "object", "enum", "record", "trait", "struct"):
                return True
            at -= 1
        return False

    @cached_property
    def _spans(self) -> dict[int, tuple[int, int]]:
        """The first and last token of scopes that are more than a block: a function with its parameters."""
        return {}

    @cached_property
    def _block(self) -> list[int]:
        """The brace that opens the innermost block around each token; -1 outside of all."""
        found, around = [], [-1]
        for index, token in enumerate(self.tokens):
            if token.kind == SIGN and token.text == "}" and len(around) > 1 and self.closes.get(around[-1]) == index:
                around.pop()
            found.append(around[-1])
            if token.kind == SIGN and token.text == "{" and self.closes.get(index, -1) > index:
                around.append(index)
        return found

    def block(self, index: int) -> int:
        """The brace that opens the innermost block around a token; -1 outside of all."""
        return self._block[index] if 0 <= index < len(self._block) else -1

    def _scope(self, index: int, function: bool = False) -> int:
        """The block in which a declaration at a token is seen; for `var` and PHP the function."""
        scope = self._block[index]
        while function and scope >= 0 and not self._is_function(scope):
            scope = self._block[scope]
        return scope

    def _is_function(self, brace: int) -> bool:
        if self.is_sign(brace - 1, "=>"):
            return True
        before = brace - 1
        while before > 0 and brace - before < 8 and not self.is_sign(before, ")", ";", "{", "}"):
            before -= 1
        opening = self.closes.get(before, -1) if self.is_sign(before, ")") else -1
        return opening > 0 and self.name(opening - 1) not in (*_CONTROL, "catch")

    def _is_member(self, index: int) -> bool:
        return index > 0 and self.tokens[index - 1].kind == SIGN and self.tokens[index - 1].text in MEMBER

    def _assigned(self, index: int, found: dict[str, list[Binding]]) -> None:
        tokens = self.tokens
        before = index - 1
        value = Binding("value", index + 1, scope=self._declared(before))
        if self.is_sign(before, "}", "]") and self.language == "javascript":
            opening = self.closes.get(before, before)
            for start, end in self.arguments(opening):
                key = self.name(start)
                name = self.name(start + 2) if self.is_sign(start + 1, ":") and start + 2 < end else key
                if name:
                    known = tokens[opening].text == "{" and not self.is_sign(start + 1, "=") and end - start in (1, 3)
                    member = Binding("member", index + 1, key) if known else UNKNOWN
                    member = member._replace(scope=self._declared(opening))
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
                found.setdefault(tokens[typed].text, []).append(value._replace(scope=self._scope(typed)))
                return
        if self.is_sign(before - 1, ",") and self.language == "go":
            # `file, err := ...`: more than one result.
            at = before
            while self.name(at) and self.is_sign(at - 1, ","):
                found.setdefault(tokens[at].text, []).append(UNKNOWN._replace(at=at, scope=value.scope))
                at -= 2
            found.setdefault(tokens[at].text, []).append(Binding("first", index + 1, scope=value.scope))
            return
        if self._is_member(before):
            owner = self.name(before - 2)
            if owner in ("this", "self", "$this", "static"):
                found.setdefault(f"this.{name}", []).append(value._replace(scope=-1))
            elif owner == "exports":
                found.setdefault(name, []).append(value._replace(scope=-1))
            else:
                found.setdefault(f".{name}", []).append(value._replace(scope=-1))
            return
        if self._in_parameters(before):
            # The default of a parameter; what is given instead is noted with the parameters.
            return
        found.setdefault(name, []).append(value)

    def _declared(self, index: int) -> int | None:
        """The scope of a declaration whose name, or pattern, is at a token; None for an assignment."""
        before = self.name(index - 1)
        if self.language == "php":
            own = self._block[index]
            return own if own >= 0 and self._is_class(own) else self._scope(index, function=True)
        if self.language == "go":
            return self._scope(index) if before in ("var", "const") or self.is_sign(index + 1, ":=", ",") else None
        if before in ("const", "let", "val") or (before == "var" and self.language != "javascript"):
            return self._scope(index)
        if before == "var":
            return self._scope(index, function=True)
        if self.language == "javascript":
            # A further name of the same declaration: `var a = 1, b = 2`; else an assignment, or the field of a class.
            return self._listed(index)
        if self.language == "java" and (before or self.is_sign(index - 1, ">", "]")) and before not in ("return", "else"):
            return self._scope(index)
        return -1 if self.language == "ruby" else None

    def _listed(self, index: int) -> int | None:
        at, steps = index - 1, 0
        if self._block[index] >= 0 and self._is_class(self._block[index]) and not self.is_sign(at, ".", "("):
            return self._block[index]
        if not self.is_sign(at, ","):
            return None
        while at > 0 and steps < 400:
            if self.is_sign(at, ")", "]", "}"):
                at = self.closes.get(at, at)
            elif self.is_sign(at, ";", "(", "{", "["):
                return None
            elif self.name(at) in ("const", "let", "var"):
                return self._scope(at, function=self.name(at) == "var")
            at, steps = at - 1, steps + 1
        return None

    def _in_parameters(self, index: int) -> bool:
        """Whether `name = default` stands among the parameters of a function."""
        return self.is_sign(index - 1, "(", ",") and self.language in ("javascript", "php", "ruby", "kotlin")

    def _parameters(self, opening: int, found: dict[str, list[Binding]]) -> None:
        close = self.closes.get(opening, -1)
        if close < opening:
            return
        before = self.name(opening - 1)
        if before in _CONTROL or (self.language == "ruby" and "def" not in (self.name(opening - 2), self.name(opening - 4))):
            return
        body = self._body(close + 1)
        if not (before in _FUNCTIONS or self.name(opening - 2) in _FUNCTIONS or body >= 0):
            return
        scope = -1
        if body >= 0 and self.is_sign(body, "=>", "->") and self.is_sign(body + 1, "{"):
            body += 1
        if body >= 0:
            scope = body
            last = self.closes.get(body, -1) if self.is_sign(body, "{") else self.expression_end(body + 1)
            self._spans[scope] = (opening, last)
        for start, end in self.arguments(opening):
            stop = next((at for at in range(start, end) if self.is_sign(at, "=")), end)
            for at in range(start, stop):
                name = self.name(at)
                if name:
                    found.setdefault(name, []).append(UNKNOWN._replace(scope=scope))

    def _body(self, at: int) -> int:
        """The token that begins the body of the function whose parameters end before a token; -1 where they are none."""
        start = at
        while at < min(start + 24, len(self.tokens)):
            token = self.tokens[at]
            if token.kind == SIGN and token.text in ("{", "=>", "->"):
                return -1 if token.text == "->" and self.language == "php" else at
            if token.kind == TEXT or (at == start and token.kind == NAME and token.text != "throws" and self.language != "go"):
                return -1
            if token.text in (")", "]") or (at == start and token.text == ",") or not _RESULT.fullmatch(token.text):
                return -1
            at = self.after(at)
        return -1

    def _lambda(self, index: int, found: dict[str, list[Binding]]) -> None:
        scope = index + 1 if self.is_sign(index + 1, "{") else index
        last = self.closes.get(scope, -1) if self.is_sign(scope, "{") else self.expression_end(index + 1)
        self._spans[scope] = (index - 1, last)
        found.setdefault(self.tokens[index - 1].text, []).append(UNKNOWN._replace(scope=scope))

    def _yielded(self, index: int, found: dict[str, list[Binding]]) -> None:
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
                names.append((token.text, "" if self.name(at - 1) == "as" else member))
            at += 1

    def _in_braces(self, at: int, start: int) -> bool:
        opens = [index for index in range(start, at) if self.is_sign(index, "{")]
        return bool(opens) and not any(self.is_sign(index, "}") for index in range(opens[-1], at))
