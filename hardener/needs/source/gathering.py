"""What a program does by the signs in its files: writes, ports, capabilities, programs that it runs. Knows no language."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from hardener.finding import Evidence, Strength
from hardener.needs.source.alternatives import OPEN, Value, Values
from hardener.needs.source.listing import Listing
from hardener.needs.source.signs import Found, Search, Sign, Signs, made
from hardener.needs.source.tokens import NAME, TEXT
from hardener.needs.source.uses import (
    CAPABILITIES,
    ESCALATION,
    EVERYTHING,
    PORTS,
    USERS,
    WRITES,
    Capability,
    Doubt,
    Listen,
    Memory,
    Named,
    Program,
    Read,
    Uses,
    Write,
    together,
)
from hardener.needs.source.values import Reckoner

_NO_WRITES = ("/dev/null", "/dev/std", "/dev/tty", "/dev/fd", "/proc/", "/dev/zero", "/dev/full")
#: Names of memory instead of a file.
_MEMORY = frozenset((":memory:", "file::memory:", "file::memory:?cache=shared"))
_READS = re.compile(r"[rb]+s?|rt|rs")
_READ_NAMES = frozenset(("O_RDONLY", "READ", "constants", "os", "fs", "File", "StandardOpenOption"))
_PORT = re.compile(r"(?:(?:https?|tcp|udp)://)?(?:[\w.*+-]*|\[[0-9a-fA-F:]*\]):(\d{1,5})/?")


class Gathering:
    """Gathers the uses of a program from its files."""

    def __init__(self, program: Program, read: Read, signs: Signs, reckoner: Reckoner) -> None:
        self.program = program
        self.read = read
        self.signs = signs
        self.reckoner = reckoner
        self.writes: dict[tuple[str, bool], Write] = {}
        self.listens: dict[tuple[int, str], Listen] = {}
        self.capabilities: dict[str, Capability] = {}
        self.users: list[Named] = []
        self.escalates: list[Named] = []
        self.runs: list[Named] = []
        self.doubts: list[Doubt] = []
        self.others: list[Uses] = []
        #: Files that are run as part of the program, by name, with the file that says so.
        self.loads: list[tuple[Listing, str]] = []

    def learn(self, more: Iterable[Sign]) -> None:
        """Look for more signs: those of a library."""
        more = tuple(more)
        if more:
            known = {sign for signs in self.signs.by_word.values() for sign in signs}
            self.signs = made(known | set(more), self.signs.vocabulary, self.signs.modules)

    def doubt(self, about: Iterable[str], text: str) -> None:
        """Leave questions open."""
        doubt = Doubt(frozenset(about), text)
        if doubt not in self.doubts:
            self.doubts.append(doubt)

    def look(self, listing: Listing) -> None:
        """Gather what one file shows."""
        search = Search(self.signs, self.reckoner)
        for found in search.found(listing):
            if isinstance(found, Found):
                self._use(listing, found)
            else:
                about, index, word = found
                self.doubt(about, f"`{listing.place(index)}` hands on `{word}`")
        if not listing.whole:
            self.doubt(EVERYTHING, f"`{listing.origin}` could not be followed to its end")

    def write(self, path: str, kind: str, exec: bool, evidence: Evidence) -> None:
        """Add a place that is written."""
        path = posixpath.normpath(path)
        if path.startswith(_NO_WRITES) or path in ("/dev",):
            return
        self.writes.setdefault((path, exec), Write(path, kind or kind_of(path), exec, evidence))

    def listen(self, number: int, protocol: str, evidence: Evidence) -> None:
        """Add a port that is bound."""
        if 0 < number < 65536:
            self.listens.setdefault((number, protocol), Listen(number, protocol, evidence))

    def uses(self, read: Evidence, memory: Memory | None) -> Uses:
        """All that was gathered."""
        self._file_capabilities()
        folders = {path + "/" for path, exec in self.writes}
        writes = (w for w in self.writes.values() if not any(w.path.startswith(folder) for folder in folders) or w.exec)
        own = Uses(
            read,
            tuple(writes),
            tuple(self.listens.values()),
            tuple(self.capabilities.values()),
            tuple(self.escalates),
            tuple(self.runs),
            tuple(dict.fromkeys(self.users)),
            memory,
            doubts=tuple(self.doubts),
        )
        for other in dict.fromkeys(self.others):
            fields = ("writes", "listens", "capabilities", "escalates", "runs", "users", "doubts")
            joined = {field: tuple(dict.fromkeys((*getattr(own, field), *getattr(other, field)))) for field in fields}
            # Each program that is run may run beside this one.
            amounts = [uses.memory for uses in (own, other) if uses.memory is not None]
            amount = together(amounts, at_once=True) if len(amounts) == 2 else None
            own = own._replace(memory=amount, **joined)  # type: ignore[arg-type]
        return own

    def _file_capabilities(self) -> None:
        """A program that a RUN gives capabilities cannot be started where these are taken away."""
        stage = self.program.files.stage
        for _, item in stage.items if stage is not None else ():
            if item.keyword == "RUN" and "setcap" in item.arguments:
                self.doubt(
                    (CAPABILITIES, ESCALATION),
                    f"what the capabilities are for that `{stage.at(item) if stage else ''}` sets on a file",
                )

    def _use(self, listing: Listing, found: Found) -> None:
        sign, place = found.sign, listing.place(found.at)
        if not self._happens(listing, found):
            return
        if sign.write or sign.path:
            self._write(listing, found)
        if sign.listen:
            self._listen(listing, found)
        if sign.run:
            self._run(listing, found)
        word = listing.tokens[found.at].text
        for name in sign.capabilities:
            evidence = Evidence(f"calls {word}", place, Strength.READ)
            self.capabilities.setdefault(name, Capability(name, sign.text or f"calls {word}", evidence))
        for number in sign.users:
            for value in self._argument(listing, found, number):
                if value.whole and value.text and value.text != "-1":
                    self.users.append(Named(value.text, Evidence(f"calls {word} for it", place, Strength.READ)))
                elif not value.whole:
                    self.doubt((USERS,), f"`{place}` {sign.text or 'uses an account'}, and computes which")
        if sign.escalates:
            self.escalates.append(Named(sign.escalates, Evidence(f"calls {word}", place, Strength.READ)))
        if sign.about:
            self.doubt(sign.about, f"`{place}` {sign.text}")

    def _happens(self, listing: Listing, found: Found) -> bool:
        """Whether the argument that says how a file is opened does not say that it is only read."""
        sign = found.sign
        if sign.flags < 0 and not sign.unless:
            return True
        arguments = listing.arguments(found.opening) if found.opening >= 0 else self._bare(listing, found.at)
        if sign.unless:
            number = int(sign.write or sign.listen or 0)
            if number >= len(arguments):
                return False
            start, end = arguments[number]
            said = " ".join(token.text for token in listing.tokens[start:end])
            if re.search(sign.unless, said) or sign.flags < 0:
                return not re.search(sign.unless, said)
        if len(arguments) <= sign.flags:
            return sign.default_writes
        start, end = arguments[sign.flags]
        names = {listing.name(index) for index in range(start, end)} - {""}
        if names and names <= _READ_NAMES and not any(listing.tokens[index].kind == TEXT for index in range(start, end)):
            return False
        values = self.reckoner.value(listing, start, end)
        return not all(value.whole and _READS.fullmatch(value.text) for value in values)

    def _argument(self, listing: Listing, found: Found, which: int | str) -> Values:
        if which == "receiver":
            end = found.at - 1
            start = end
            while start > 0 and (listing.name(start - 1) or listing.is_sign(start - 1, ".", "?.", "::", "->", "!", ")", "]")):
                if listing.name(start - 1) in (
                    "return",
                    "await",
                    "if",
                    "throw",
                    "case",
                    "else",
                    "new",
                    "defer",
                    "go",
                    "not",
                    "and",
                    "or",
                ):
                    start -= 1 if listing.name(start - 1) == "new" else 0
                    break
                before = start - 1
                start = listing.closes.get(before, before) if listing.is_sign(before, ")", "]") else before
            return self.reckoner.value(listing, start, end)
        if isinstance(which, str) and "." in which:
            return self._option(listing, found, which)
        if which == "value":
            if listing.is_sign(found.at, "("):
                return self._called_back(listing, found.at)
            end = listing.expression_end(found.at)
            if listing.name(found.at) in ("function", "async") or "=>" in _texts(listing, found.at, end + 1):
                return self._called_back(listing, found.at)
            return self.reckoner.value(listing, found.at, end)
        arguments = listing.arguments(found.opening) if found.opening >= 0 else self._bare(listing, found.at)
        number = int(which)
        return self.reckoner.value(listing, *arguments[number]) if number < len(arguments) else (OPEN,)

    def _option(self, listing: Listing, found: Found, which: str) -> Values:
        """What keys of an object that is an argument say, joined as a path: "0.dirname/filename" of `File({filename: x})`."""
        number, _, keys = which.partition(".")
        arguments = listing.arguments(found.opening)
        if int(number) >= len(arguments):
            return (OPEN,)
        parts = [values for key in keys.split("/") if (values := self.reckoner.option(listing, *arguments[int(number)], key))]
        return self.reckoner.joined(parts) if parts else (OPEN,)

    def _bare(self, listing: Listing, index: int) -> list[tuple[int, int]]:
        """The arguments of a call without brackets, as Ruby has them."""
        found, at = [], index + 1
        while at < len(listing.tokens):
            end = listing.expression_end(at)
            if end <= at:
                break
            found.append((at, end))
            if not listing.is_sign(end, ","):
                break
            at = end + 1
        return found

    def _called_back(self, listing: Listing, start: int) -> Values:
        """What a function gives as the second argument to what it calls back: `cb(null, "uploads/")`."""
        at = start
        while at < min(start + 60, len(listing.tokens)) and not listing.is_sign(at, "=>", "{"):
            at = listing.after(at)
        if listing.is_sign(at, "=>"):
            at += 1
        end = listing.after(at) if listing.is_sign(at, "{") else listing.expression_end(at)
        found: list[Value] = []
        for index in range(at, end):
            if listing.is_sign(index, "(") and listing.name(index - 1):
                arguments = listing.arguments(index)
                if len(arguments) == 2 and listing.tokens[arguments[0][0]].text in ("null", "undefined"):
                    found += self.reckoner.value(listing, *arguments[1])
        return tuple(found) or (OPEN,)

    def _write(self, listing: Listing, found: Found) -> None:
        sign, place = found.sign, listing.place(found.at)
        values: Values
        if sign.path:
            values = (Value(self.reckoner.properties.get(sign.property or sign.path, sign.path)),)
        else:
            which: int | str = int(sign.write) if sign.write.isdecimal() else sign.write
            values = self._argument(listing, found, which)
        for value in values:
            if value.whole and not value.text and sign.empty:
                value = Value(sign.empty)
            if value.whole and (value.text in _MEMORY or not value.text or value.text in ("null", "false", "undefined")):
                if not value.text:
                    self.doubt((WRITES,), f"`{place}` writes a path that is computed")
                continue
            if value.text.startswith("@"):
                # A place that only the settings of the interpreter say, and these are not known.
                self.doubt((WRITES,), f"where `{place}` keeps its {value.text[1:]}")
                continue
            known = self.reckoner.path(value)
            if known is None:
                self.doubt(
                    (WRITES,),
                    f"`{place}` writes a path that {value.why or 'is computed'}".replace("that `$", "from `$").rstrip(","),
                )
                continue
            path, whole = known
            if sign.place == "parent" and whole:
                path, whole = posixpath.dirname(path), False
            elif sign.place == "inside":
                whole = False
            shown = f"writes {path}" if whole or sign.place == "folder" else f"writes below {path}"
            if path == "/":
                self.doubt((WRITES,), f"`{place}` writes in the root folder")
            else:
                self.write(path, sign.kind, sign.exec, Evidence(shown, place, Strength.READ))

    def _listen(self, listing: Listing, found: Found) -> None:
        sign, place = found.sign, listing.place(found.at)
        if sign.listen == "value":
            values = self._argument(listing, found, "value")
        else:
            arguments = listing.arguments(found.opening) if found.opening >= 0 else []
            if int(sign.listen) >= len(arguments):
                return
            start, end = arguments[int(sign.listen)]
            if listing.is_sign(start, "{"):
                values = self._port_of(listing, start)
            else:
                values = self.reckoner.value(listing, start, end)
        for value in values:
            address = _PORT.fullmatch(value.text) if value.whole else None
            if value.whole and value.text.isdecimal():
                self.listen(int(value.text), sign.protocol, Evidence(f"listens on port {value.text}", place, Strength.READ))
            elif address:
                self.listen(int(address[1]), sign.protocol, Evidence(f"listens on port {address[1]}", place, Strength.READ))
            elif value.whole and value.text.startswith(("/", "unix:")):
                path = value.text.removeprefix("unix:").removeprefix("//")
                self.write(posixpath.dirname(path), "run", False, Evidence(f"listens on {path}", place, Strength.READ))
            else:
                self.doubt((PORTS,), f"`{place}` listens on a port that is computed")

    def _port_of(self, listing: Listing, opening: int) -> Values:
        for start, end in listing.arguments(opening):
            token = listing.tokens[start]
            if token.kind == NAME and token.text in ("port", "path"):
                if listing.is_sign(start + 1, ":"):
                    return self.reckoner.value(listing, start + 2, end)
                return self.reckoner.value(listing, start, end)
        spread = any(listing.is_sign(start, "...") for start, _ in listing.arguments(opening))
        return (OPEN,) if spread else ()

    def _run(self, listing: Listing, found: Found) -> None:
        sign, place = found.sign, listing.place(found.at)
        arguments = listing.arguments(found.opening) if found.opening >= 0 else self._bare(listing, found.at)
        arguments = arguments[sign.first :]
        if not arguments:
            return
        if sign.run == "file":
            for value in self.reckoner.value(listing, *arguments[0]):
                known = self.reckoner.path(value)
                if known is None or not known[1]:
                    self.doubt(EVERYTHING, f"`{place}` {sign.text}")
                else:
                    self.loads.append((listing, known[0]))
            return
        words = self._words(listing, sign.run, arguments)
        if words is None:
            self.doubt(EVERYTHING, f"`{place}` {sign.text}")
            return
        name = words[0].rpartition("/")[2] if sign.run != "shell" else words[2].split()[0].rpartition("/")[2]
        self.runs.append(Named(name, Evidence(f"runs {name}", place, Strength.READ)))
        self.others.append(self.read(self.program._replace(words=words, at=place, arguments=())))

    def _words(self, listing: Listing, how: str, arguments: list[tuple[int, int]]) -> tuple[str, ...] | None:
        """The words of the program that is run, `$argument` for one that is not known; None where the program is not known."""
        first = self.reckoner.value(listing, *arguments[0])
        if how == "shell":
            if len(first) != 1 or not first[0].text.strip():
                return None
            text = first[0].text
            if not first[0].whole:
                if " " not in text.strip() and not text.endswith(" "):
                    return None
                text += "$argument"
            return ("sh", "-c", text)
        ranges = arguments
        if how == "list" and len(arguments) > 1 and listing.is_sign(arguments[1][0], "["):
            ranges = [arguments[0], *listing.arguments(arguments[1][0])]
        elif how == "list" and len(arguments) > 1:
            ranges = [arguments[0]]
        if len(first) != 1 or not first[0].whole or not first[0].text:
            return None
        words = [first[0].text]
        for start, end in ranges[1:]:
            values = self.reckoner.value(listing, start, end)
            words.append(values[0].text if len(values) == 1 and values[0].whole else "$argument")
        if how == "list" and len(arguments) > 1 and ranges == [arguments[0]] and not listing.is_sign(arguments[1][0], "{"):
            words.append("$arguments")
        return tuple(words)


def kind_of(path: str) -> str:
    """What a path is written for, by its name: "data" unless it says otherwise."""
    parts = path.strip("/").split("/")
    if path in ("/tmp", "/var/tmp") or path.startswith(("/tmp/", "/var/tmp/", "/dev/shm")):
        return "scratch"
    if path.startswith(("/run/", "/var/run/")) or parts[-1].endswith((".pid", ".sock")):
        return "run"
    if parts[-1].endswith(".log") or "log" in parts or "logs" in parts:
        return "log"
    if "cache" in parts or ".cache" in parts:
        return "cache"
    return "scratch" if "tmp" in parts or "temp" in parts else "data"


def _texts(listing: Listing, start: int, end: int) -> set[str]:
    return {token.text for token in listing.tokens[start:end]}
