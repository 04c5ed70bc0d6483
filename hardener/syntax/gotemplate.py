"""Go template text to a tree of actions, as Helm writes it. Knows no function's meaning, no chart and no YAML.

What the language is: text/template of golang/go, `src/text/template/parse`. Only what can be read without running it is told:
a text that does not hold together raises `TemplateError`. All of it takes time in proportion to the text.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from hardener.errors import HardenError
from hardener.record import NamedTuple

#: Blocks and parentheses deeper than this are nobody's template.
_DEEPEST = 60
#: A comment, or an action up to its end, in which quotes hide braces.
_COMMENT = re.compile(r"\{\{(?:-\s)?\s*+/\*.*?\*/\s*+(-)?\}\}", re.DOTALL)
_ACTION = re.compile(r"\{\{((?:\"(?:[^\"\\\n]|\\.)*+\"|`[^`]*+`|'(?:[^'\\\n]|\\.)*+'|[^\"`'}]|\}(?!\}))*+)\}\}")
_TOKEN = re.compile(r"\s*+(?:\"((?:[^\"\\\n]|\\.)*+)\"|`([^`]*+)`|('(?:[^'\\\n]|\\.)*+')|(:=|[()|,=])|([^\s()|,=:\"`']++))")
_ESCAPED = re.compile(r"\\(.)")
_BLOCKS = ("if", "with", "range", "define", "block")


class TemplateError(HardenError):
    """The text does not hold together as a template; `line` counts from 1."""

    exit_code = 2

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class Literal(NamedTuple):
    """A quoted text."""

    value: str


class Name(NamedTuple):
    """A function, a number, `true`, `nil`."""

    value: str


class Field(NamedTuple):
    """`.a.b`, `$.a`, `$x.a` or `(...).a`: fields of something."""

    #: `.`, `$`, `$x`, or what stands in the parentheses.
    base: str | Pipe
    names: tuple[str, ...]


class Pipe(NamedTuple):
    """Commands that hand on their results: each a function or value with what it is given."""

    commands: tuple[tuple[Operand, ...], ...]
    #: The variables that take the result: `$x := ...`, or `=` where they exist already.
    variables: tuple[str, ...] = ()
    declares: bool = True


Operand: TypeAlias = "Literal | Name | Field | Pipe"


class Text(NamedTuple):
    """What is written as it stands, blanks that an action eats taken away; `line` is that of its first character."""

    text: str
    line: int


class Do(NamedTuple):
    """`{{ ... }}`: a result that is written, or kept in a variable."""

    pipe: Pipe
    line: int


class Block(NamedTuple):
    """`if`, `with`, `range`: `body` or `otherwise`."""

    kind: str
    pipe: Pipe
    body: tuple[Part, ...]
    otherwise: tuple[Part, ...]
    line: int


Part: TypeAlias = "Text | Do | Block"


class Template(NamedTuple):
    """A text, and the named templates that it defines."""

    parts: tuple[Part, ...]
    defines: dict[str, tuple[Part, ...]]


class _Action(NamedTuple):
    tokens: tuple[tuple[str, str], ...]
    line: int


def parse(text: str) -> Template:
    """Read a template. Raises `TemplateError` where it does not hold together."""
    return _Reader(_pieces(text)).template()


def _pieces(text: str) -> list[Text | _Action]:
    pieces: list[Text | _Action] = []
    at, line, eat = 0, 1, False
    while True:
        start = text.find("{{", at)
        written = text[at:] if start == -1 else text[at:start]
        blanks = len(written) - len(written.lstrip()) if eat else 0
        eaten = start != -1 and text.startswith("{{-", start) and text[start + 3 : start + 4].isspace()
        shown = written[blanks:].rstrip() if eaten else written[blanks:]
        if shown:
            pieces.append(Text(shown, line + written.count("\n", 0, blanks)))
        line += written.count("\n")
        if start == -1:
            return pieces
        match = _COMMENT.match(text, start) if _begins_comment(text, start) else _ACTION.match(text, start)
        if match is None:
            raise TemplateError(line, "an action that does not end")
        inner = match.group()[2:-2]
        eat = inner.endswith("-") and (inner[-2:-1].isspace() or match.re is _COMMENT)
        if match.re is _ACTION:
            inner = inner[1:] if eaten else inner
            pieces.append(_Action(_tokens(inner[:-1] if eat else inner, line), line))
        line += match.group().count("\n")
        at = match.end()


def _begins_comment(text: str, start: int) -> bool:
    head = text[start + 2 : start + 12].removeprefix("-").lstrip()
    return head.startswith("/*")


def _tokens(inner: str, line: int) -> tuple[tuple[str, str], ...]:
    """The words of an action as (kind, text); kinds are `text`, `mark` and `word`."""
    found: list[tuple[str, str]] = []
    at, end = 0, len(inner.rstrip())
    while at < end:
        match = _TOKEN.match(inner, at, end)
        if match is None:
            raise TemplateError(line, "an action that cannot be read")
        quoted, raw, char, mark, word = match.groups()
        if mark is not None:
            # `(x).y` and `(x) .y` are not the same.
            found.append(("mark", mark))
            if mark == ")" and inner[match.end() : match.end() + 1] == ".":
                found.append(("mark", ").")) if inner[match.end() + 1 : match.end() + 2].strip() else None
        elif word is not None:
            found.append(("word", word))
        else:
            found.append(("text", _ESCAPED.sub(_unescape, quoted) if quoted is not None else raw if raw is not None else char))
        at = match.end()
    return tuple(found)


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t"}.get(match.group(1), match.group(1))


class _Reader:
    def __init__(self, pieces: list[Text | _Action]) -> None:
        self._pieces = pieces
        self._at = 0
        self._defines: dict[str, tuple[Part, ...]] = {}

    def template(self) -> Template:
        parts, end = self._parts(0)
        if end is not None:
            raise TemplateError(end.line, f"`{end.tokens[0][1]}` without a beginning")
        return Template(parts, self._defines)

    def _parts(self, depth: int) -> tuple[tuple[Part, ...], _Action | None]:
        """What follows, up to an `else` or `end` that is not its own."""
        parts: list[Part] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            self._at += 1
            if isinstance(piece, Text):
                parts.append(piece)
                continue
            word = piece.tokens[0][1] if piece.tokens and piece.tokens[0][0] == "word" else ""
            keyword, dot, field = word.partition(".")
            if dot and keyword in _BLOCKS:  # `{{ with.Values.x }}`
                word, piece = keyword, piece._replace(tokens=(("word", keyword), ("word", "." + field), *piece.tokens[1:]))
            if word in ("else", "end"):
                return tuple(parts), piece
            if word in _BLOCKS:
                parts += self._block(word, piece, piece.tokens[1:], depth + 1)
            elif word == "template":
                parts.append(Do(_pipe((("word", "include"), *piece.tokens[1:]), piece.line), piece.line))
            elif piece.tokens and word not in ("break", "continue"):
                parts.append(Do(_pipe(piece.tokens, piece.line), piece.line))
        return tuple(parts), None

    def _block(self, kind: str, action: _Action, head: tuple[tuple[str, str], ...], depth: int) -> list[Part]:
        if depth > _DEEPEST:
            raise TemplateError(action.line, f"blocks more than {_DEEPEST} deep")
        body, end = self._parts(depth)
        otherwise: tuple[Part, ...] = ()
        if end is not None and end.tokens[0][1] == "else":
            if len(end.tokens) > 1:  # `else if`, `else with`: a block of its own, which shares the end
                return [
                    Block(kind, _pipe(head, action.line), body, tuple(self._else(end, depth)), action.line),
                ]
            otherwise, end = self._parts(depth)
        if end is None or end.tokens[0][1] != "end":
            raise TemplateError(action.line, f"`{kind}` without an end")
        if kind in ("define", "block"):
            if not head or head[0][0] != "text":
                raise TemplateError(action.line, f"`{kind}` without a name")
            self._defines[head[0][1]] = body
            return [] if kind == "define" else [Do(_pipe((("word", "include"), *head), action.line), action.line)]
        return [Block(kind, _pipe(head, action.line), body, otherwise, action.line)]

    def _else(self, action: _Action, depth: int) -> list[Part]:
        word = action.tokens[1][1]
        if word not in ("if", "with"):
            raise TemplateError(action.line, f"`else {word}`")
        return self._block(word, action, action.tokens[2:], depth + 1)


def _pipe(tokens: tuple[tuple[str, str], ...], line: int) -> Pipe:
    names: list[str] = []
    declares = True
    marks = [text for kind, text in tokens[:4] if kind == "mark"]
    if ":=" in marks or "=" in marks:
        sign = next(number for number, token in enumerate(tokens) if token in (("mark", ":="), ("mark", "=")))
        names = [text for kind, text in tokens[:sign] if kind == "word"]
        declares = tokens[sign][1] == ":="
        tokens = tokens[sign + 1 :]
    commands, at = _commands(tokens, 0, line, 0)
    if at < len(tokens):
        raise TemplateError(line, "a parenthesis without a beginning")
    return Pipe(commands, tuple(names), declares)


def _commands(tokens: tuple[tuple[str, str], ...], at: int, line: int, depth: int) -> tuple[tuple[tuple[Operand, ...], ...], int]:
    """The commands up to a closing parenthesis or the end, and where that is."""
    if depth > _DEEPEST:
        raise TemplateError(line, f"parentheses more than {_DEEPEST} deep")
    commands: list[tuple[Operand, ...]] = []
    command: list[Operand] = []
    while at < len(tokens):
        kind, text = tokens[at]
        if kind == "mark" and text == ")":
            break
        at += 1
        if kind == "text":
            command.append(Literal(text))
        elif kind == "word":
            command.append(_word(text))
        elif text == "|":
            commands.append(tuple(command))
            command = []
        elif text == "(":
            inner, at = _commands(tokens, at, line, depth + 1)
            if at >= len(tokens):
                raise TemplateError(line, "a parenthesis without an end")
            at += 1
            if tokens[at : at + 1] == (("mark", ")."),):
                names = tokens[at + 1][1] if at + 1 < len(tokens) else ""
                command.append(Field(Pipe(inner), tuple(name for name in names.split(".") if name)))
                at += 2
            else:
                command.append(Pipe(inner))
    return (*commands, tuple(command)), at


def _word(text: str) -> Operand:
    if text.startswith("."):
        return Field(".", tuple(name for name in text.split(".") if name)) if not text[1:2].isdigit() else Name(text)
    if text.startswith("$"):
        base, _, rest = text.partition(".")
        return Field(base, tuple(name for name in rest.split(".") if name))
    return Name(text)
