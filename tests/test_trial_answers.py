"""What ports answer, asked over real sockets on the loopback address."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.trial import answers
from hardener.trial.answers import Answer, ask, common, differs

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, host: str = "127.0.0.1") -> Iterator[int]:
    """A server that treats each connection as `talk` says, and hangs up."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"no {host} here")
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def asked(talk: Talk, host: str = "127.0.0.1") -> tuple[Answer, float]:
    with server(talk, host) as port:
        begin = time.monotonic()
        return ask(host, port), time.monotonic() - begin


def page(body: str, head: str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8") -> Talk:
    def talk(connection: socket.socket) -> None:
        request = connection.recv(65536).decode()
        assert request.startswith("GET / HTTP/1.1\r\nHost: ")
        connection.sendall(f"{head}\r\n\r\n{body}".encode())

    return talk


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_page(host: str) -> None:
    answer, _ = asked(page("<p>one\n<p>two 17\n"), host)
    assert answer == Answer("http", "200 text/html", frozenset(("<p>one", "<p>two #")))
    assert answer.said == "HTTP 200 text/html"


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("HTTP/1.1 404 Not Found\r\ncontent-type:application/JSON", "404 application/json"),
        ("HTTP/1.0 302 Found\r\nLocation: /", "302"),
        ("HTTP/1.1", ""),
    ],
)
def test_the_status_and_the_type(head: str, text: str) -> None:
    assert asked(page("", head))[0][:2] == ("http", text)


def test_a_page_that_changes_is_known_again() -> None:
    count = itertools.count(1)

    def talk(connection: socket.socket) -> None:
        n = next(count)
        page(f"<h1>Shop</h1>\n<p>visit {n}\n<p>token {n:032x}\n<p>{'odd' if n % 2 else 'even'}\n<p>imprint\n<p>cart\n")(
            connection
        )

    with server(talk) as port:
        wanted = common([ask("127.0.0.1", port), ask("127.0.0.1", port)])
        assert len(wanted.lines) == 5
        assert differs(ask("127.0.0.1", port), wanted) == ""
    with server(page("<h1>Internal error</h1>")) as port:
        assert differs(ask("127.0.0.1", port), wanted) == "answers without 5 of 5 lines"


def test_a_server_that_speaks_first() -> None:
    answer, seconds = asked(lambda connection: connection.sendall(b"220 mail.example ESMTP 4.2\r\nmore"))
    assert answer == Answer("talks", "# mail.example ESMTP #.#")
    assert seconds < 2


def test_another_protocol_that_waits() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"-ERR unknown command 'GET'\r\n")

    assert asked(talk)[0] == Answer("talks", "-ERR unknown command 'GET'")


def test_garbage_cannot_steer_a_terminal() -> None:
    answer, _ = asked(lambda connection: connection.sendall(b"\x1b[2J\x00\xff\xfehello\x9b31m"))
    assert answer.kind == "talks"
    assert answer.text.isprintable()
    assert "hello" in answer.text


@pytest.mark.parametrize("reset", [True, False])
def test_a_proxy_that_accepts_and_hangs_up_is_nobody(reset: bool) -> None:
    def talk(connection: socket.socket) -> None:
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert asked(talk)[0] == Answer("closed")


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert ask("127.0.0.1", unused.getsockname()[1]) == Answer("closed")


def test_silence_is_an_open_connection() -> None:
    answer, seconds = asked(lambda connection: time.sleep(4.5))
    assert answer == Answer("silent")
    assert seconds < 4.5


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"])
def test_what_drips_without_end_is_bounded_in_time(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_LONGEST", 1.0)

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        for _ in range(60):
            time.sleep(0.1)
            connection.sendall(b"data\n")

    answer, seconds = asked(talk)
    assert seconds < 5
    assert answer.kind == ("http" if first else "talks")


def test_what_comes_without_end_is_bounded_in_size() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for number in range(100_000):
            connection.sendall(b"%d line %x\n" % (number, number) * 100)

    answer, _ = asked(talk)
    assert answer.kind == "http"
    assert len(answer.lines) <= 4000


LINES = st.frozensets(st.text("abc", max_size=3), max_size=12)
ANSWERS = st.builds(Answer, st.sampled_from(("http", "talks", "silent", "closed")), st.sampled_from(("", "200", "500")), LINES)


@given(st.lists(ANSWERS, min_size=1, max_size=3))
def test_what_all_have_in_common_each_of_them_meets(several: list[Answer]) -> None:
    wanted = common(several)
    assert all(differs(one, wanted) == "" for one in several)


@given(ANSWERS, ANSWERS)
def test_another_kind_or_status_is_a_difference(now: Answer, wanted: Answer) -> None:
    if wanted.kind != "closed" and (now.kind != wanted.kind or (wanted.text and now.text != wanted.text)):
        assert differs(now, wanted)
    gone = len(wanted.lines - now.lines)
    if now[:2] == wanted[:2] and wanted.kind != "closed":
        assert bool(differs(now, wanted)) == (4 * gone > len(wanted.lines)), "a quarter may be gone"
