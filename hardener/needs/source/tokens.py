"""Source text as tokens: names, texts, numbers and signs, without comments. Knows how five languages write these, and no word.

A text with values put in becomes the sum that it means: `a${b}c` is lexed as ("a" + (b) + "c"), so that who reads tokens
meets the code inside of texts, and needs no second way to put texts together.
"""

from __future__ import annotations

import re
from functools import lru_cache

from hardener.record import NamedTuple

NAME, TEXT, NUMBER, SIGN = "name", "text", "number", "sign"

_OPERATORS = (
    r"=>|\?\?=|\|\|=|&&=|\.=|\?\?|\|\||&&|\?->|->|\?\.|&\.|\?:|::|:=|\.\.\.|[=!]==?|<=>|[+\-*/%]=|\+\+|--|<<|[<>]=|!!|[^\s\w]|\w"
)
_NAME = r"[A-Za-z_$\u0080-\U0010ffff][\w$]*"
_NUMBER = r"[0-9][\w.]*"
_C_COMMENTS = r"//[^\n]*|/\*.*?\*/"
_DOUBLE = r'"(?:[^"\\\n]|\\.)*"'
_SINGLE = r"'(?:[^'\\\n]|\\.)*'"
_REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/[A-Za-z]*")
#: Names after which a slash begins a regular expression.
_BEFORE_REGEX = frozenset(
    "return typeof case in of do else void delete throw await yield new and or not if unless when then".split()
)
_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.S)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\n": ""}


class Token(NamedTuple):
    """A word of source text; `text` of a literal is what it says, `at` its offset in characters."""

    kind: str
    text: str
    at: int


class Dialect(NamedTuple):
    """How a language writes tokens."""

    #: What is skipped.
    comments: str
    #: Literals of which the text is all that stands between the quotes: a pattern and how many characters enclose it.
    raw: tuple[tuple[str, int], ...] = ()
    #: Literals with escapes and nothing put in.
    plain: tuple[str, ...] = (_DOUBLE, _SINGLE)
    #: Quotes of literals with values put in, and what begins a value: `${`, `#{`, `$`.
    filled: tuple[tuple[str, str], ...] = ()
    name: str = _NAME
    regex: bool = False
    heredoc: str = ""
    #: What joins texts.
    plus: str = "+"


DIALECTS = {
    "javascript": Dialect(_C_COMMENTS + r"|\A#![^\n]*", filled=(("`", "${"),), name="#?" + _NAME, regex=True),
    "java": Dialect(_C_COMMENTS, raw=((r'""".*?"""', 3),)),
    "kotlin": Dialect(_C_COMMENTS, raw=((r'""".*?"""', 3),), plain=(_SINGLE,), filled=(('"', "$"),)),
    "go": Dialect(_C_COMMENTS, raw=((r"`[^`]*`", 1),)),
    "php": Dialect(
        r"//(?:(?!\?>)[^\n])*|/\*.*?\*/|#(?!\[)(?:(?!\?>)[^\n])*",
        plain=(r"'(?:[^'\\]|\\.)*'",),
        filled=(('"', "$"), ("`", "$")),
        name=r"\$?\\?[A-Za-z_\u0080-\U0010ffff][\w\\]*",
        heredoc=r"<<<[ \t]*(?P<mark>['\"]?)\w+(?P=mark)\n",
        plus=".",
    ),
    "ruby": Dialect(
        r"#[^\n]*|^=begin\b.*?^=end\b[^\n]*",
        raw=((r"%[qwWiI]?\([^()]*\)|%[qwWiI]?\[[^\[\]]*\]|%[qwWiI]?\{[^{}]*\}", 0),),
        plain=(r"'(?:[^'\\]|\\.)*'", r":\"(?:[^\"\\\n]|\\.)*\"", r"(?<![:\w]):[A-Za-z_]\w*[?!]?"),
        filled=(('"', "#{"), ("`", "#{")),
        name=r"(?:@@?|\$)?[A-Za-z_\u0080-\U0010ffff]\w*[?!]?",
        regex=True,
        heredoc=r"<<[~-]?(?P<mark>['\"]?)[A-Z_]\w*(?P=mark)",
    ),
}


def tokens_of(text: str, language: str) -> tuple[list[Token], bool]:
    """The tokens of a file, and whether it could be followed to its end: a literal or comment that is never closed ends it."""
    lexer = _Lexer(text, DIALECTS[language], language)
    if language == "php":
        lexer.pages()
    else:
        lexer.code(False)
    return lexer.tokens, lexer.whole


@lru_cache
def _master(language: str) -> re.Pattern[str]:
    dialect = DIALECTS[language]
    parts = [rf"(?P<skip>(?:\s+|{dialect.comments})+)", r"(?P<open>/\*)" if "/\\*" in dialect.comments else ""]
    parts += [f"(?P<raw{number}>{pattern})" for number, (pattern, _) in enumerate(dialect.raw)]
    parts.append(f"(?P<heredoc>{dialect.heredoc})" if dialect.heredoc else "")
    parts.append("(?P<filled>[" + "".join(quote for quote, _ in dialect.filled) + "])" if dialect.filled else "")
    parts += [f"(?P<plain>{'|'.join(dialect.plain)})", f"(?P<name>{dialect.name})", f"(?P<number>{_NUMBER})"]
    parts.append(f"(?P<sign>{_OPERATORS})")
    return re.compile("|".join(filter(None, parts)), re.S | re.M)


class _Lexer:
    def __init__(self, text: str, dialect: Dialect, language: str) -> None:
        self.text = text
        self.dialect = dialect
        self.language = language
        self.tokens: list[Token] = []
        self.at = 0
        self.whole = True
        self.depth = 0

    def pages(self) -> None:
        """PHP, which stands between `<?php` and `?>`."""
        while True:
            start = self.text.find("<?", self.at)
            if start == -1:
                return
            self.at = start + 2
            if self.text.startswith("php", self.at):
                self.at += 3
            elif self.text.startswith("=", self.at):
                self.at += 1
                self._sign("echo", NAME)
            self.code(False)
            self._sign(";")

    def code(self, nested: bool) -> None:
        """Tokens up to the end, or to the brace that closes what is put into a text."""
        text, match, tokens, php = self.text, _master(self.language).match, self.tokens, self.language == "php"
        depth = 0
        while self.at < len(text):
            found = match(text, self.at)
            if found is None:
                self.at += 1
                continue
            kind, word, at = found.lastgroup, found.group(), self.at
            self.at = found.end()
            if kind == "skip":
                continue
            if kind == "name":
                if php and "\\" in word:
                    word = ("$" if word[0] == "$" else "") + word.rpartition("\\")[2]
                tokens.append(Token(NAME, word, at))
            elif kind == "sign":
                if word == "{":
                    depth += 1
                elif word == "}":
                    depth -= 1
                    if nested and depth < 0:
                        return
                elif word[0] == "/" and self.dialect.regex and self._begins_operand():
                    literal = _REGEX.match(text, at)
                    if literal:
                        self.at = literal.end()
                        word = "/"
                        tokens.append(Token(SIGN, "/regex/", at))
                        continue
                elif php and word == "?" and text.startswith("?>", at):
                    self.at = at + 2
                    return
                tokens.append(Token(SIGN, word, at))
            elif kind == "number":
                tokens.append(Token(NUMBER, word.replace("_", ""), at))
            elif kind == "plain":
                tokens.append(Token(TEXT, word[1:] if word[0] == ":" and word[1] != '"' else _said(word.lstrip(":")[1:-1]), at))
            elif kind == "filled":
                self._filled(word, dict(self.dialect.filled)[word])
            elif kind == "heredoc":
                self._heredoc(found)
                text = self.text
            elif kind == "open":
                self.whole = False
                self.at = len(text)
            elif kind is not None:
                width = self.dialect.raw[int(kind[3:])][1]
                tokens.append(Token(TEXT, word[width:-width] if width else word, at))

    def _begins_operand(self) -> bool:
        if not self.tokens:
            return True
        last = self.tokens[-1]
        if last.kind == SIGN:
            return last.text not in (")", "]", "/regex/", "++", "--")
        return last.kind == NAME and last.text in _BEFORE_REGEX

    def _sign(self, text: str, kind: str = SIGN) -> None:
        self.tokens.append(Token(kind, text, self.at))

    def _filled(self, quote: str, opening: str) -> None:
        """A literal with values put in, as a sum in parentheses; what a shell runs becomes a call of "`"."""
        if quote == "`" and self.language != "javascript":
            self._sign("`", NAME)
        self.depth += 1
        if self.depth > 40:
            self.whole, self.at = False, len(self.text)
            return
        self._sum(quote, opening)
        self.depth -= 1

    def _sum(self, end: str, opening: str) -> None:
        text, start = self.text, self.at
        stops = re.compile(rf"\\.|{re.escape(end)}|{re.escape(opening[0])}|\{{\$", re.S)
        first = len(self.tokens)
        self._sign("(")
        pieces = 0
        while True:
            found = stops.search(text, self.at)
            if found is None:
                # Never closed: what follows is read as code, and the file counts as not followed.
                self.whole, self.at = False, start
                del self.tokens[first:]
                return
            sign = found.group()
            if sign == end:
                break
            self.at = found.end()
            value = "" if sign[0] == "\\" else self._opens(sign, opening)
            if not value:
                continue
            self._piece(start, found.start(), pieces)
            self._sign(self.dialect.plus)
            self._sign("(")
            if value == "name":
                name = re.compile(_NAME if self.language != "php" else r"[A-Za-z_]\w*(?:->\w+|\[[^\]\n]*\])?").match(
                    text, self.at
                )
                assert name is not None
                inner = _Lexer(name.group(), self.dialect, self.language)
                inner.code(False)
                self.tokens += (
                    token._replace(at=token.at + self.at, text=("$" if self.language == "php" and not index else "") + token.text)
                    for index, token in enumerate(inner.tokens)
                )
                self.at = name.end()
            else:
                self.at = found.start() + len(value)
                self.depth += 1
                if self.depth > 40:
                    self.whole, self.at = False, len(text)
                    return
                self.code(True)
                self.depth -= 1
            self._sign(")")
            start, pieces = self.at, pieces + 1
        if pieces:
            self._piece(start, found.start(), pieces)
            self._sign(")")
        else:
            self.tokens[first:] = [Token(TEXT, _said(text[start : found.start()]), start - 1)]
        self.at = found.end()

    def _opens(self, sign: str, opening: str) -> str:
        """What begins a value here: the sign itself, "name" for `$name`; empty for none."""
        at = self.at - len(sign)
        if opening in ("${", "#{"):
            return opening if self.text.startswith(opening, at) else ""
        if sign == "{$":
            return "{" if self.language == "php" else ""
        if self.text.startswith("${", at):
            return "${"
        after = self.text[self.at : self.at + 1]
        return "name" if after.isalpha() or after == "_" else ""

    def _piece(self, start: int, end: int, pieces: int) -> None:
        if pieces:
            self._sign(self.dialect.plus)
        self.tokens.append(Token(TEXT, _said(self.text[start:end]), start))

    def _heredoc(self, found: re.Match[str]) -> None:
        text, name = self.text, found.group("heredoc")
        word = re.sub(r"\W", "", name)
        rest = text.find("\n", found.start()) if self.language == "ruby" else found.end() - 1
        end = re.compile(rf"^[ \t]*{re.escape(word)}\b", re.M).search(text, max(rest, found.end() - 1))
        if rest == -1 or end is None:
            self.tokens.append(Token(SIGN, "<<", found.start()))
            self.at = found.start() + 2
            return
        body = text[rest + 1 : end.start()]
        self.tokens.append(Token(TEXT, body, found.start()))
        if re.search(r"#\{|\{\$|\$\{", body) and "'" not in name:
            # Values that are put in may run code: they are read as code of their own.
            for value in re.finditer(r"[#$]?\{([^{}\n]*)\}", body):
                inner = _Lexer(value.group(1), self.dialect, self.language)
                inner.code(False)
                self._sign(self.dialect.plus)
                self.tokens += (Token(SIGN, "(", rest), *inner.tokens, Token(SIGN, ")", rest))
        if self.language == "ruby":
            # What follows on the line of the opening is code: the body is cut out of the text, and its lines are kept.
            gone = text[rest + 1 : end.end()]
            self.text = text[: rest + 1] + "\n" * gone.count("\n") + " " * (len(gone) - gone.count("\n")) + text[end.end() :]
            self.at = found.end()
        else:
            self.at = end.end()


def _said(text: str) -> str:
    if "\\" not in text:
        return text

    def said(found: re.Match[str]) -> str:
        code = found.group(1)
        if len(code) > 1:
            number = int(code[1:].strip("{}"), 16)
            return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "?"
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(said, text)
