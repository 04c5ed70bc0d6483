"""What an expression in source text says, as far as it stands there: texts, paths, variables of the environment. Runs nothing.

An expression has alternatives, because a name may be given several values. What is not known has an empty, open value; a text
of which only the beginning is known is open too, which is enough to know a folder.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hardener.needs.source.alternatives import (
    NOTHING,
    OPEN,
    Value,
    Values,
    fewer,
    formatted,
    joined_path,
    parent_of,
    products,
    summed,
)
from hardener.needs.source.listing import MEMBER, Binding, Listing
from hardener.needs.source.naming import PREFIXES, dotted
from hardener.needs.source.tokens import NAME, NUMBER, SIGN, TEXT
from hardener.needs.source.uses import Program

if TYPE_CHECKING:
    from hardener.needs.source.signs import Vocabulary

_DEEPEST = 14
_OR = ("||", "??", "?:", "or")


class Reckoner:
    """Says what expressions of some files mean to one program.

    `module` gives the file that another one loads by a name; `elsewhere` the files in which names are looked for that a file
    does not bind itself, where the language has such names.
    """

    def __init__(
        self,
        words: Vocabulary,
        program: Program,
        module: Callable[[Listing, str], Listing | None],
        elsewhere: Sequence[Listing] = (),
    ) -> None:
        self.words = words
        self.program = program
        self.module = module
        self.elsewhere = elsewhere
        #: What names are given from outside of source text, such as settings that a framework injects.
        self.injected: dict[tuple[str, str], Values] = {}
        #: Properties that the program is started with.
        self.properties: dict[str, str] = {}
        self._depth = 0

    def value(self, listing: Listing, start: int, end: int) -> Values:
        """What the expression between two tokens says."""
        if self._depth > _DEEPEST or start >= end:
            return NOTHING
        self._depth += 1
        try:
            return fewer(self._value(listing, start, end))
        finally:
            self._depth -= 1

    def option(self, listing: Listing, start: int, end: int, key: str) -> Values:
        """What a key of the object between two tokens says; none where an object that is all there has it not."""
        if listing.is_sign(start, "{"):
            entries = listing.arguments(start)
            if not any(listing.tokens[at].text == key for at, _ in entries):
                return NOTHING if any(listing.is_sign(at, "...") for at, _ in entries) else ()
            return self._entry(listing, start, [key])
        names = [listing.name(start)]
        while listing.is_sign(start + 1, ".") and listing.name(start + 2):
            names.append(listing.name(start + 2))
            start += 2
        if start + 1 < end or not names[0]:
            return NOTHING
        for binding in listing.bound(names[0], start):
            if binding.kind == "value" and listing.is_sign(binding.at, "{") and len(names) == 1:
                return self.option(listing, binding.at, listing.after(binding.at), key)
        found = self.property(listing, names[0], [*names[1:], key], start)
        return () if found == NOTHING and key == "dirname" else found

    def joined(self, parts: Sequence[Values]) -> Values:
        """Paths put together."""
        return tuple(joined_path(chosen, "resolve") for chosen in products(parts))

    def path(self, value: Value) -> tuple[str, bool] | None:
        """The absolute path that a value says, and whether it is all of it: else a folder. None where nothing is known."""
        text, whole = value.text, value.whole
        if text.startswith("file://"):
            text = text[7:]
        if not text or "\0" in text:
            return None
        if not whole:
            # Below the last folder that is known; without one, in the folder where it runs.
            text = text[: text.rfind("/") + 1] or "."
        return posixpath.normpath(posixpath.join(self.program.workdir, text)), whole

    def _value(self, listing: Listing, start: int, end: int) -> Values:
        splits: dict[str, list[int]] = {}
        plus = listing.dialect.plus
        at = start
        while at < end:
            token = listing.tokens[at]
            if token.kind == SIGN:
                if token.text in (*_OR, "?", ":", plus, "/", "&&", "==", "===", "!=", "!==", "<", ">", "=", "-", "*"):
                    splits.setdefault(token.text, []).append(at)
                elif token.text == "=>":
                    return NOTHING
            elif token.kind == NAME and token.text in ("or", "as", "satisfies") and at > start:
                splits.setdefault(token.text, []).append(at)
            at = listing.after(at)
        for cast in ("as", "satisfies"):
            if cast in splits and listing.language in ("javascript", "kotlin"):
                return self._value(listing, start, splits[cast][0])
        if "?" in splits and ":" in splits and splits["?"][0] + 1 < end:
            question = splits["?"][0]
            colon = next((at for at in splits[":"] if at > question), end)
            return self.value(listing, question + 1, colon) + self.value(listing, colon + 1, end)
        for sign in _OR:
            if sign in splits:
                at = splits[sign][-1]
                first, second = self.value(listing, start, at), self.value(listing, at + 1, end)
                if all(value.unset or (value.whole and not value.text) for value in first):
                    return second
                return tuple(v for v in first if not v.unset) + (second if any(v.unset or not v.whole for v in first) else ())
        if any(sign in splits for sign in ("&&", "==", "===", "!=", "!==", "<", ">", "=", "-", "*")):
            return NOTHING
        joins = splits.get(plus, [])
        paths = splits.get("/", []) if listing.language in ("ruby", "kotlin") else []
        if "/" in splits and not paths:
            return NOTHING
        if joins or paths:
            bounds = sorted({*joins, *paths})
            ends = [*bounds, end]
            parts = [self.value(listing, a, b) for a, b in zip([start, *(at + 1 for at in bounds)], ends, strict=True)]
            if paths:
                parts = [parts[0], *(tuple(v._replace(text="/" + v.text) for v in part) for part in parts[1:])]
            return tuple(summed(chosen) for chosen in products(parts))
        values, after = self._operand(listing, start, end)
        return values if after >= end else NOTHING

    def _operand(self, listing: Listing, at: int, end: int) -> tuple[Values, int]:
        while at < end and (listing.name(at) in PREFIXES or listing.is_sign(at, "@", "&")):
            at += 1
        if at >= end:
            return NOTHING, at
        token = listing.tokens[at]
        values: Values
        if token.kind in (TEXT, NUMBER):
            values, at = (Value(token.text),), at + 1
        elif listing.is_sign(at, "("):
            close = listing.after(at)
            if close - at == 3 and close < end and listing.name(at + 1) and listing.language in ("java", "php"):
                return self._operand(listing, close, end)
            values, at = self.value(listing, at + 1, close - 1), close
        elif token.kind == NAME:
            values, at = self._named(listing, at, end)
        else:
            return NOTHING, end
        while at < end:
            if listing.is_sign(at, "!", "!!"):
                at += 1
            elif listing.tokens[at].text in MEMBER and listing.name(at + 1):
                method, at = listing.name(at + 1), at + 2
                if listing.is_sign(at, "("):
                    values = self._applied(self.words.methods.get(method, ""), listing, listing.arguments(at), values)
                    at = listing.after(at)
                else:
                    values = values if self.words.methods.get(method) == "self" else NOTHING
            else:
                return NOTHING, end
        return values, at

    def _named(self, listing: Listing, at: int, end: int) -> tuple[Values, int]:
        names, start = [listing.name(at)], at
        at += 1
        module = listing.tokens[at + 1] if names == ["require"] and listing.is_sign(at, "(") and at + 2 < end else None
        if module is not None and module.kind == TEXT and listing.after(at) == at + 3:
            names, at = [module.text.removeprefix("node:")], at + 3
        while at + 1 < end and listing.tokens[at].text in MEMBER and listing.name(at + 1):
            names.append(listing.name(at + 1))
            at += 2
        if listing.is_sign(at, "<") and listing.is_sign(at + 1, ">"):
            at += 2
        full = dotted(listing, names, start)
        called = at < end and listing.is_sign(at, "(")
        arguments = listing.arguments(at) if called else []
        owner, _, last = full.rpartition(".")
        if called:
            at = listing.after(at)
            kind = self.words.calls.get(full) or self.words.calls.get(full.lower() if listing.language == "php" else "")
            if kind:
                return self._applied(kind, listing, arguments, ()), at
            if len(names) > 1 and names[-1] in self.words.methods:
                receiver = self._operand(listing, start, self._before(listing, at))[0]
                return self._applied(self.words.methods[names[-1]], listing, arguments, receiver), at
            return NOTHING, at
        if full in self.words.constants:
            return (self._constant(self.words.constants[full], listing),), at
        if owner in self.words.environment:
            return (self._variable(last),), at
        if full in self.words.environment and listing.is_sign(at, "["):
            close = listing.after(at)
            keys = self.value(listing, at + 1, close - 1)
            return tuple(self._variable(key.text) if key.whole else OPEN for key in keys), close
        if self.words.calls.get(full, "").startswith(("=", "@")):
            return self._applied(self.words.calls[full], listing, [], ()), at
        if listing.is_sign(at, "[") and at < end:
            close = listing.after(at)
            key = listing.tokens[at + 1]
            if key.kind == TEXT and close == at + 3:
                return self.property(listing, names[0], [*names[1:], key.text], start), close
            return NOTHING, close
        return self.property(listing, names[0], names[1:], start), at

    def _before(self, listing: Listing, after_call: int) -> int:
        """The token after the receiver of the method call that ends before a token."""
        return listing.closes[after_call - 1] - 2

    def property(self, listing: Listing, name: str, keys: Sequence[str], at: int = -1) -> Values:
        """What a name, or a property of it, is bound to where it stands at a token; -1 for outside of all blocks."""
        keys = list(keys)
        own = name in ("this", "self", "$this", "static") and bool(keys)
        if own:
            name = keys.pop(0)
        if (listing.path, name) in self.injected and not keys:
            return self.injected[listing.path, name]
        if own:
            bindings = listing.fields(name) or listing.fields("$" + name)
        else:
            bindings = listing.bound(name, at)
            if listing.language in ("java", "kotlin") and (not bindings or listing.fields(name)):
                local = [binding for binding in bindings if binding not in listing.fields(name)]
                bindings = local or listing.fields(name)
        if not bindings:
            return self._from_elsewhere(listing, name, keys)
        found: list[Value] = []
        for binding in bindings:
            found += self._bound(listing, binding, keys)
        return fewer(found)

    def _from_elsewhere(self, listing: Listing, name: str, keys: list[str]) -> Values:
        """What a name of another file is bound to: a constant, a variable of the package, `Settings.FOLDER`."""
        wanted = keys[-1] if len(keys) == 1 else "" if keys else name
        found: list[Value] = []
        if wanted and listing.language != "javascript":
            for other in self.elsewhere:
                if other is listing or wanted not in other.bindings:
                    continue
                # What is bound in its blocks alone would send each file to all others, and those to each other.
                if self._depth >= _DEEPEST or not (other.bound(wanted, -1) or self._is_field(other, wanted)):
                    found += NOTHING
                    continue
                self._depth += 1
                found += self.property(other, wanted, ())
                self._depth -= 1
        return fewer(found) if found else NOTHING

    def _is_field(self, listing: Listing, name: str) -> bool:
        return listing.language in ("java", "kotlin") and bool(listing.fields(name))

    def _bound(self, listing: Listing, binding: Binding, keys: list[str]) -> Values:
        if binding.kind == "import":
            other = self.module(listing, binding.module)
            wanted = [*([binding.member] if binding.member else []), *keys] or ["default"]
            return self.exported(other, wanted) if other else NOTHING
        if binding.kind == "first":
            return self.value(listing, binding.at, listing.expression_end(binding.at)) if not keys else NOTHING
        if binding.kind not in ("value", "member"):
            return NOTHING
        keys = [binding.member, *keys] if binding.member else keys
        if not keys:
            return self.value(listing, binding.at, listing.expression_end(binding.at))
        at = binding.at
        if listing.is_sign(at, "{"):
            return self._entry(listing, at, keys)
        if listing.name(at) == "require" and listing.is_sign(at + 1, "("):
            argument = listing.tokens[at + 2]
            other = self.module(listing, argument.text) if argument.kind == TEXT else None
            return self.exported(other, keys) if other else NOTHING
        names = [listing.name(at)]
        while listing.is_sign(at + 1, ".") and listing.name(at + 2):
            names.append(listing.name(at + 2))
            at += 2
        if at + 1 == listing.expression_end(binding.at) and names[0]:
            full = dotted(listing, names)
            if full in self.words.environment and len(keys) == 1:
                return (self._variable(keys[0]),)
            if self._depth < _DEEPEST and names[0] != "this":
                self._depth += 1
                try:
                    return self.property(listing, names[0], [*names[1:], *keys], binding.at)
                finally:
                    self._depth -= 1
        return NOTHING

    def exported(self, listing: Listing, keys: list[str]) -> Values:
        """What a file gives to those who load it, under a name."""
        if not keys or self._depth > _DEEPEST:
            return NOTHING
        self._depth += 1
        try:
            found: list[Value] = []
            for binding in listing.bindings.get(".exports", ()):
                found += self._bound(listing, binding, list(keys))
            if keys[0] == "default" or not found:
                for at in range(len(listing.tokens) - 2):
                    if listing.name(at) == "export" and listing.name(at + 1) == "default":
                        rest = keys[1:] if keys[0] == "default" else keys
                        found += self._bound(listing, Binding("value", at + 2), list(rest))
            known = [value for value in found if value is not OPEN]
            if not known and keys[0] in listing.bindings:
                return self.property(listing, keys[0], keys[1:])
            return fewer(found)
        finally:
            self._depth -= 1

    def _entry(self, listing: Listing, opening: int, keys: list[str]) -> Values:
        for start, end in listing.arguments(opening):
            token = listing.tokens[start]
            if token.kind not in (NAME, TEXT) or token.text != keys[0]:
                continue
            if not listing.is_sign(start + 1, ":"):
                return self.property(listing, keys[0], keys[1:], start) if end == start + 1 else NOTHING
            if len(keys) == 1:
                return self.value(listing, start + 2, end)
            return self._entry(listing, start + 2, keys[1:]) if listing.is_sign(start + 2, "{") else NOTHING
        return NOTHING

    def _applied(self, kind: str, listing: Listing, arguments: list[tuple[int, int]], receiver: Values) -> Values:
        """What a call says, by its kind in the vocabulary."""
        if kind.startswith(("=", "@")):
            return (self._constant(kind, listing),)
        if kind == "self":
            return receiver or NOTHING
        values = [*([receiver] if receiver else []), *(self.value(listing, *argument) for argument in arguments)]
        if kind == "first":
            return values[0] if values else NOTHING
        if kind in ("join", "resolve", "sum", "absolute", "url"):
            if kind == "absolute":
                values.insert(0, (Value(self.program.workdir),))
            elif kind == "url":
                values = [(self._constant("@folder", listing),), values[0]] if len(values) == 2 else []
            return tuple(joined_path(chosen, kind) for chosen in products(values)) if values else NOTHING
        if kind == "parent":
            return tuple(parent_of(value) for value in values[0]) if values else NOTHING
        if kind == "inside":
            # A file or folder with a name of its own choosing, in the folder that is given.
            return tuple(Value(value.text.rstrip("/") + "/", False) if value.whole else value for value in values[0])
        if kind == "beside":
            return tuple(Value(value.text, False, value.why) for value in values[0]) if values else NOTHING
        if kind in ("storage", "base", "public", "root"):
            folder = self.properties.get(f"@{kind}")
            if folder is None:
                return NOTHING
            return tuple(joined_path(chosen, "join") for chosen in products([(Value(folder),), *values]))
        if kind == "second":
            return values[1] if len(values) > 1 else NOTHING
        if kind == "format":
            return formatted(values)
        if kind == "last":
            return values[-1] if values else NOTHING
        if kind == "or" and len(values) == 2:
            return (
                values[1]
                if all(value.unset for value in values[0])
                else values[0]
                if all(v.whole for v in values[0])
                else NOTHING
            )
        if kind == "temporary":
            folder = self.properties.get("java.io.tmpdir", "/tmp").rstrip("/") + "/"
            return (Value(folder, False),) if len(arguments) < 3 else NOTHING
        if kind == "property" and values:
            known = [self.properties.get(name.text) if name.whole else None for name in values[0]]
            if len(known) == 1 and known[0] is not None:
                return (Value(known[0]),)
            return values[1] if len(values) > 1 and None not in [name.whole or None for name in values[0]] else NOTHING
        if kind == "environment" and values:
            found: list[Value] = []
            for name in values[0]:
                variable = self._variable(name.text) if name.whole else OPEN
                found += values[1] if variable.unset and len(values) > 1 else (variable,)
            return tuple(found)
        return NOTHING

    def _constant(self, text: str, listing: Listing) -> Value:
        if text.startswith("="):
            return Value(text[1:])
        if text == "@folder":
            return Value(listing.folder) if listing.folder else OPEN
        if text == "@file":
            return Value(posixpath.join(listing.folder, posixpath.basename(listing.path))) if listing.folder else OPEN
        known = self.properties.get(text)
        return Value(known) if known is not None else Value(self.program.workdir) if text == "@cwd" else OPEN

    def _variable(self, name: str) -> Value:
        text = self.program.variable(name)
        if text is None:
            return Value("", False, f"`${name}`, whose value is not known,")
        return Value(text, unset=not text)
