"""What a published port answers to somebody who only knocks. Knows no project: an address in, an answer out."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterable, Sequence

from hardener.record import NamedTuple

_PATIENCE = 3.0
#: Seconds for a whole answer: some drip without end, such as a stream of events.
_LONGEST = 6.0
#: Seconds for a server that speaks first.
_GREETING = 0.6
_MOST_BYTES, _MOST_LINES = 256 * 1024, 4000
_BANNER = 48


class Answer(NamedTuple):
    """What came back. `kind`: "http", "talks" (another protocol), "silent" (an open connection), "closed"."""

    kind: str
    #: For HTTP the status and type of the answer, for another protocol how its first words look.
    text: str = ""
    #: Its lines, without what looks like a number, so that two answers can be compared.
    lines: frozenset[str] = frozenset()

    @property
    def said(self) -> str:
        """As a person would put it."""
        return {"http": f"HTTP {self.text}", "talks": f"`{self.text}`", "silent": "an open connection"}.get(self.kind, "nothing")


def ask(host: str, port: int) -> Answer:
    """Connect, listen, and ask for the first page where nothing is said."""
    try:
        with socket.create_connection((host, port), _PATIENCE) as connection:
            connection.settimeout(_GREETING)
            try:
                greeting = connection.recv(_BANNER)
                # The engine's own proxy accepts for a container in which nobody listens, and hangs up at once.
                return Answer("talks", _plain(greeting)) if greeting else Answer("closed")
            except TimeoutError:
                pass
            connection.settimeout(_PATIENCE)
            name = f"[{host}]" if ":" in host else host
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}:{port}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode())
            return _understood(_all(connection))
    except OSError:
        return Answer("closed")


def _all(connection: socket.socket) -> bytes:
    data, end = b"", time.monotonic() + _LONGEST
    try:
        while len(data) < _MOST_BYTES and time.monotonic() < end:
            more = connection.recv(65536)
            if not more:
                break
            data += more
    except OSError:  # it keeps the connection, or breaks it: what came until then counts
        pass
    return data


def _understood(data: bytes) -> Answer:
    if not data:
        return Answer("silent")
    head, _, body = data.partition(b"\r\n\r\n")
    first, _, headers = head.decode("latin-1").partition("\r\n")
    if not first.startswith("HTTP/"):
        return Answer("talks", _plain(data[:_BANNER]))
    status = [*first.split(), "", ""][1]
    kind = next((line.split(":", 1)[1] for line in headers.split("\r\n") if line.lower().startswith("content-type:")), "")
    lines = body.decode("utf-8", "replace").splitlines()[:_MOST_LINES]
    return Answer("http", f"{status} {kind.partition(';')[0].strip().lower()}".strip(), frozenset(map(_normal, lines)))


def _plain(data: bytes) -> str:
    """The first words of another protocol, without numbers and what no terminal shows."""
    text = data.partition(b"\r")[0].partition(b"\n")[0].decode("latin-1")
    return re.sub(r"\d+", "#", "".join(letter for letter in text if letter.isprintable())).strip()[:_BANNER]


def _normal(line: str) -> str:
    return re.sub(r"[0-9a-f]{8,}|\d+", "#", " ".join(line.split()))


def common(answers: Sequence[Answer]) -> Answer:
    """What all answers have in common: that much may be expected of the next."""
    first = answers[0]
    if any(answer.kind != first.kind for answer in answers):
        return Answer("closed")
    text = first.text if all(answer.text == first.text for answer in answers) else ""
    return Answer(first.kind, text, frozenset.intersection(*(answer.lines for answer in answers)))


def differs(now: Answer, expected: Answer) -> str:
    """What is missing of what was expected, as words; empty when nothing is."""
    if expected.kind == "closed":
        return ""
    if now.kind != expected.kind or (expected.text and now.text != expected.text):
        return f"answers {now.said} instead of {expected.said}"
    gone = len(expected.lines - now.lines)
    return f"answers without {gone} of {len(expected.lines)} lines" if gone > _few(expected.lines) else ""


def _few(lines: Iterable[str]) -> int:
    """How many lines may differ: a page may show what changes more rarely than two runs tell."""
    return len(frozenset(lines)) // 4
