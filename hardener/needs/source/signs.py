"""Words in source text that show what a program does, and where in a file they are used. Knows no language and no library.

What stands for what is data: `signs/*.toml`, one file a language. The reasoning is by absence: a program in whose text none of
the words stands that can do a thing does not do it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from hardener.needs.source.listing import MEMBER, Binding, Listing
from hardener.needs.source.naming import dotted, module_of
from hardener.needs.source.tokens import NAME, TEXT
from hardener.needs.source.uses import EVERYTHING
from hardener.needs.source.values import Reckoner
from hardener.record import NamedTuple

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "signs")
_DEFINES = frozenset("function func def fun fn class interface".split())


class Vocabulary(NamedTuple):
    """The words of a language that make paths and read the environment; see the head of `signs/*.toml`."""

    constants: Mapping[str, str] = {}
    environment: frozenset[str] = frozenset()
    calls: Mapping[str, str] = {}
    methods: Mapping[str, str] = {}


class Sign(NamedTuple):
    """A word and what its use means; see the head of `signs/node.toml`."""

    words: frozenset[str]
    #: What the word must belong to: modules, packages, classes; empty where the word says it alone.
    of: frozenset[str] = frozenset()
    #: "call", "new", "key" (`word: value`, `word = value`), "mention".
    form: str = "call"
    #: What is written: the number of an argument, "receiver", "value", "callback"; empty for none.
    write: str = ""
    #: How that is meant: "file", "folder", "parent" of it, "inside" a folder.
    place: str = "file"
    kind: str = ""
    exec: bool = False
    #: The number of the argument that says whether it is written at all.
    flags: int = -1
    #: Whether a call without that argument writes.
    default_writes: bool = False
    #: The number of the argument that is a port or an address with one, or "value".
    listen: str = ""
    protocol: str = "tcp"
    #: How a program is run: "shell" text, "words" one by one, "list" of them, "file" that is loaded.
    run: str = ""
    #: The number of the argument from which on that stands.
    first: int = 0
    capabilities: tuple[str, ...] = ()
    #: The numbers of the arguments that name an account.
    users: tuple[int, ...] = ()
    escalates: str = ""
    about: frozenset[str] = frozenset()
    #: What it does, in words that go on after the place: "writes a path that is computed".
    text: str = ""
    #: What is written where no argument says it, and the property that may say another place.
    path: str = ""
    property: str = ""
    #: How many arguments the call has; -1 for any number.
    arity: int = -1
    #: A pattern of what must not stand in the argument that is written: a stream is no file.
    unless: str = ""
    #: The only one of the languages with these signs that has the word.
    language: str = ""
    #: What an empty text for the path means.
    empty: str = ""


class Signs(NamedTuple):
    """The signs of a language, by word, and its vocabulary."""

    by_word: Mapping[str, tuple[Sign, ...]]
    vocabulary: Vocabulary
    pattern: re.Pattern[str]
    #: What is in doubt about a program that hands on one of these modules as a whole.
    modules: Mapping[str, frozenset[str]]


class Found(NamedTuple):
    """A sign in a file: the token of its word, and of the bracket of its arguments, -1 where it has none."""

    sign: Sign
    at: int
    opening: int


@lru_cache
def signs_of(language: str) -> Signs:
    """The signs of a language."""
    import tomllib

    with open(os.path.join(_FOLDER, f"{language}.toml"), "rb") as stream:
        data = tomllib.load(stream)
    values = data.get("values", {})
    vocabulary = Vocabulary(
        values.get("constants", {}), frozenset(values.get("environment", ())), values.get("calls", {}), values.get("methods", {})
    )
    modules = {name: _questions(about) for name, about in data.get("modules", {}).items()}
    return made(map(sign_of, data["sign"]), vocabulary, modules)


def made(signs: Iterable[Sign], vocabulary: Vocabulary, modules: Mapping[str, frozenset[str]]) -> Signs:
    """Signs as a table by word."""
    by_word: dict[str, tuple[Sign, ...]] = {}
    for sign in signs:
        for word in sign.words:
            by_word[word] = (*by_word.get(word, ()), sign)
    words = sorted({*by_word, *(name.rpartition("/")[2] for name in modules)})
    return Signs(by_word, vocabulary, re.compile("|".join(map(re.escape, words)) or r"(?!)"), modules)


def sign_of(data: Mapping[str, Any]) -> Sign:
    """A sign as a table says it. Raises `TypeError` for a key that no sign has."""
    data = dict(data)
    if "run" in data:
        data.setdefault("text", "runs a program that is computed")
    return Sign(
        words=frozenset(data.pop("words").split()),
        of=frozenset("" if name == "-" else name for name in data.pop("of", "").split()),
        write=str(data.pop("write", "")),
        listen=str(data.pop("listen", "")),
        capabilities=tuple(data.pop("capabilities", "").split()),
        users=tuple(data.pop("users", ())),
        about=_questions(data.pop("about", "")),
        **data,
    )


def _questions(about: str) -> frozenset[str]:
    found = frozenset(about.split())
    assert found <= EVERYTHING | {"everything"}, about
    return EVERYTHING if "everything" in found else found


class Search:
    """Finds the signs of a file."""

    def __init__(self, signs: Signs, reckoner: Reckoner) -> None:
        self.signs = signs
        self.reckoner = reckoner

    def found(self, listing: Listing) -> Iterator[Found | tuple[frozenset[str], int, str]]:
        """The signs in a file; for a word or module that is handed on as it is: the questions, the token and the word."""
        php = listing.language == "php"
        if not self.signs.pattern.search(listing.text.lower() if php else listing.text):
            return
        aliases = self._aliases(listing)
        by_word = self.signs.by_word
        tokens = listing.tokens
        for index, token in enumerate(tokens):
            if token.kind != NAME:
                continue
            word = token.text.lower() if php else token.text
            word = aliases.get(word, word)
            if word in by_word:
                yield from self._signs_at(listing, index, word, aliases)
            elif word in self.signs.modules or word in aliases.modules:
                yield from self._handed_on(listing, index, word, aliases)

    def _signs_at(self, listing: Listing, index: int, word: str, aliases: _Aliases) -> Iterator[Any]:
        opening = index + 1
        while listing.is_sign(opening, "?.", "!"):
            opening += 1
        if listing.is_sign(opening, "<") and listing.language in ("java", "javascript", "kotlin"):
            opening = _after_generics(listing, opening)
        called = listing.is_sign(opening, "(")
        defines = called and self._defines(listing, index, opening)
        for sign in self.signs.by_word[word]:
            if defines and sign.form != "key":
                continue
            if (sign.language and sign.language != listing.language) or not self._belongs(listing, index, word, sign):
                continue
            if sign.arity >= 0 and (not called or len(listing.arguments(opening)) != sign.arity):
                continue
            if sign.form == "key":
                if sign.of and not self._is_within(listing, index, sign.of):
                    continue
                if listing.is_sign(index + 1, ":", "=", "=>", ":=") and not listing.is_sign(index - 1, "?", "::"):
                    yield Found(sign, index + 2, -1)
                elif called and listing.language == "javascript" and self._defines(listing, index, opening):
                    # A method of an object: `destination(request, file, done) {...}`.
                    yield Found(sign, opening, -1)
            elif sign.form == "mention" and not (listing.is_sign(index + 1, ":") and listing.language == "javascript"):
                yield Found(sign, index, opening if called else -1)
            elif sign.form == "new":
                first = index
                while first > 1 and listing.tokens[first - 1].text in MEMBER and listing.name(first - 2):
                    first -= 2
                if called and (listing.name(first - 1) == "new" or listing.language in ("kotlin", "ruby")):
                    yield Found(sign, index, opening)
            elif called or listing.language == "ruby":
                yield Found(sign, index, opening if called else -1)
            elif not self._bound(listing, index, aliases) and not listing.is_sign(index + 1, ":", "="):
                about = sign.about or frozenset(
                    ("writes",) if sign.write else EVERYTHING if sign.run else ("capabilities", "users")
                )
                yield about, index, word

    def _belongs(self, listing: Listing, index: int, word: str, sign: Sign) -> bool:
        """Whether the word at a token belongs to what its sign must belong to."""
        if not sign.of or sign.form == "key":
            return True
        owner = owner_of(listing, index)
        if not owner:
            full = dotted(listing, [listing.tokens[index].text])
            module, _, member = full.rpartition(".")
            return module in sign.of and (module != "" or member not in listing.bindings)
        if dotted(listing, owner) in sign.of or owner[-1] in sign.of:
            return True
        return not sign.of.isdisjoint(listing.types.get(owner[-1], ()))

    def _is_within(self, listing: Listing, index: int, of: frozenset[str]) -> bool:
        """Whether a key stands in what is given to one of these: `multer({dest: x})`, `http.Server{Addr: x}`."""
        brace = listing.block(index)
        for _ in range(3):
            if brace < 0:
                return listing.is_sign(index - 1, ".") and listing.name(index - 2) in of
            before = brace - 1
            while listing.is_sign(before, "(", ":"):
                before -= 1
            if listing.name(before):
                owner = owner_of(listing, before)
                full = dotted(listing, [*owner, listing.name(before)])
                if full in of or listing.name(before) in of or full.rpartition("/")[2] in of:
                    return True
            brace = listing.block(brace)
        return False

    def _defines(self, listing: Listing, index: int, opening: int) -> bool:
        if listing.name(index - 1) in _DEFINES:
            return True
        if (
            listing.language == "go"
            and listing.is_sign(index - 1, ")")
            and listing.name(listing.closes.get(index - 1, 0) - 1) == "func"
        ):
            return True
        if listing.language not in ("javascript", "java") or (index and listing.tokens[index - 1].text in MEMBER):
            return False
        close = listing.closes.get(opening, opening)
        before = listing.name(index - 1)
        if before == "new":
            return False
        return listing.is_sign(close + 1, "{") or (listing.name(close + 1) == "throws")

    def _bound(self, listing: Listing, index: int, aliases: _Aliases) -> bool:
        """Whether a word that is not called is only imported, given another name, or looked up and followed there."""
        token = listing.tokens[index]
        if token.text in aliases or index in aliases.seen:
            return True
        brace = listing.block(index)
        after = listing.closes.get(brace, -1) + 1
        if brace >= 0 and (listing.is_sign(after, "=") or listing.name(after) == "from"):
            # `import { word } from "m"`, `const { word: name } = m`.
            return True
        if listing.language != "javascript":
            return not (index and listing.tokens[index - 1].text in MEMBER)
        return not listing.is_sign(index - 1, "{", ",") and owner_of(listing, index) == []

    def _handed_on(self, listing: Listing, index: int, word: str, aliases: _Aliases) -> Iterator[Any]:
        """A module that is handed on as a whole, or from which a member is taken by a computed name."""
        if index and listing.tokens[index - 1].text in MEMBER:
            return
        module = aliases.modules.get(word) or (word if word not in listing.bindings else "")
        about = self.signs.modules.get(module)
        if not about:
            return
        after = listing.tokens[index + 1] if index + 1 < len(listing.tokens) else None
        if after is not None and (after.text in MEMBER or after.text in ("=", "from", ":", "as", "}", ";")):
            return
        if listing.name(index - 1) in ("import", "as", "const", "let", "var", "type") or listing.is_sign(index - 1, "=", "{"):
            return
        if after is not None and after.text == "[":
            inside = listing.tokens[index + 2]
            if inside.kind == TEXT and inside.text not in self.signs.by_word:
                return
        if after is not None and (after.text in ("[", ")", ",")):
            yield about, index, word

    def _aliases(self, listing: Listing) -> _Aliases:
        """Other names that a file gives to words with a meaning, and to the modules that they are of."""
        found = _Aliases()
        found.modules, found.seen = {}, set()
        for name, bindings in listing.bindings.items():
            for binding in bindings:
                if binding.kind not in ("import", "member", "value") or name.startswith("."):
                    continue
                if binding.kind == "value" and not listing.name(binding.at):
                    continue
                module, member = module_of(listing, binding)
                if module and not member:
                    found.modules[name] = module
                last = member.rpartition(".")[2]
                if last and last != name and last in self.signs.by_word:
                    found[name] = last
                at = self._promised(listing, binding)
                if at >= 0:
                    found[name] = listing.name(at)
                    found.seen.add(at)
        return found

    def _promised(self, listing: Listing, binding: Binding) -> int:
        """The token of the word in `promisify(fs.writeFile)` and in `fs.writeFile`, when a name is bound to that; else -1."""
        at = binding.at
        end = listing.expression_end(at)
        while listing.name(at) in ("util", "promisify") and at < end:
            at += 2
        while at + 1 < end and listing.name(at) and listing.is_sign(at + 1, "."):
            at += 2
        if listing.name(at) in self.signs.by_word and (at + 1 == end or (listing.is_sign(at + 1, ")") and at + 2 == end)):
            return at
        return -1


class _Aliases(dict[str, str]):
    """Names for words; `modules` are names for modules, `seen` the tokens that only give such a name."""

    modules: dict[str, str]
    seen: set[int]


def owner_of(listing: Listing, index: int) -> list[str]:
    """The names before the last one of a dotted name; "name()" for a call, empty text for anything else."""
    names: list[str] = []
    at = index
    while at > 1 and listing.tokens[at - 1].text in MEMBER:
        before = at - 2
        while listing.is_sign(before, "!"):
            before -= 1
        if listing.is_sign(before, ")"):
            opening = listing.closes.get(before, -1)
            inner = opening
            while listing.is_sign(inner, "("):
                inner += 1
            if listing.name(inner) == "await":
                inner += 1
            if opening > 0 and listing.name(opening - 1) in ("require", "import") and listing.tokens[opening + 1].kind == TEXT:
                return [listing.tokens[opening + 1].text.removeprefix("node:"), *names]
            if listing.name(inner) in ("require", "import") and listing.tokens[inner + 2].kind == TEXT:
                return [listing.tokens[inner + 2].text.removeprefix("node:"), *names]
            return [f"{listing.name(opening - 1)}()", *names]
        name = listing.name(before)
        if not name:
            return [""]
        names.insert(0, name)
        at = before
    return names


def _after_generics(listing: Listing, at: int) -> int:
    """The token after `<...>`, or the same where no call follows it."""
    depth = 0
    for step in range(at, min(at + 24, len(listing.tokens))):
        if listing.is_sign(step, "<"):
            depth += 1
        elif listing.is_sign(step, ">"):
            depth -= 1
            if not depth:
                return step + 1 if listing.is_sign(step + 1, "(") else at
    return at
