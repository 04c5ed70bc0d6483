"""A server that fails on demand: before another one, whose answers it passes on, or alone, with made-up answers. Knows no API."""

from __future__ import annotations

import http.client
import io
import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Request(NamedTuple):
    """What was asked."""

    verb: str
    #: With the query.
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _Rule(NamedTuple):
    verb: str
    path: re.Pattern[str]
    first: int
    last: int
    status: int
    headers: dict[str, str]
    body: bytes
    cut: str
    act: Callable[[Request], object] | None
    #: How many requests it was about so far.
    seen: list[int]


class FailingProxy:
    """Use it as a context: `with FailingProxy(server) as proxy:`; `proxy.url` is its address, `proxy.asked` what was asked."""

    def __init__(self, target: str = "") -> None:
        """`target` is the address of the server behind it; without one, what no rule is about is answered with 404."""
        self.asked: list[Request] = []
        self._target = target
        self._rules: list[_Rule] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy._handle(self, Request(self.command, self.path, dict(self.headers), body))

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_one

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> FailingProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def on(
        self,
        verb: str,
        path: str,
        *,
        first: int = 1,
        times: int = 1_000_000,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        cut: str = "",
        act: Callable[[Request], object] | None = None,
    ) -> None:
        """From the `first` request whose verb and path, with its query, match as a whole on, so many times: answer like this.

        `body` is JSON, unless it is bytes; `act` does what the server behind cannot, and gives the body. `cut` ends the
        connection instead: "before" the request is passed on, or "after", when it is done and only the answer gets lost. Of
        several rules for a request, the last one made counts.
        """
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        rule = _Rule(verb, re.compile(path), first, first + times - 1, status, dict(headers or {}), data, cut, act, [0])
        self._rules.insert(0, rule)

    def heal(self) -> None:
        """Fail no longer."""
        self._rules.clear()

    def forget(self) -> None:
        """Fail no longer, and forget what was asked."""
        self.heal()
        self.asked.clear()

    def paths(self, verb: str = "") -> list[str]:
        """What was asked, in order: of one verb the paths alone."""
        return [one.path if verb else f"{one.verb} {one.path}" for one in self.asked if verb in ("", one.verb)]

    def _handle(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        self.asked.append(request)
        rule = self._rule(request)
        if rule is not None and rule.cut == "before":
            handler.close_connection = True
            return
        if rule is not None and (rule.act or not rule.cut):
            body = json.dumps(rule.act(request)).encode() if rule.act else rule.body
            status, headers, data = rule.status, {"Content-Type": "application/json", **rule.headers}, body
        elif self._target:
            status, headers, data = self._pass_on(request)
        else:
            status, headers, data = 404, {"Content-Type": "application/json"}, b'{"message": "Not Found"}'
        if rule is not None and rule.cut == "after":
            handler.close_connection = True
            return
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        # In one piece: what comes in two waits for the first to be acknowledged.
        handler.wfile = io.BufferedWriter(handler.wfile)  # type: ignore[arg-type]
        handler.end_headers()
        handler.wfile.write(data)
        handler.wfile.flush()

    def _rule(self, request: Request) -> _Rule | None:
        for rule in self._rules:
            if re.fullmatch(rule.verb, request.verb) and rule.path.fullmatch(request.path):
                rule.seen[0] += 1
                if rule.first <= rule.seen[0] <= rule.last:
                    return rule
        return None

    def _pass_on(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        address = urlsplit(self._target)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        try:
            passed = ("authorization", "content-type", "if-none-match")
            headers = {name: value for name, value in request.headers.items() if name.lower() in passed}
            connection.request(request.verb, request.path, request.body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
            dropped = ("transfer-encoding", "connection", "keep-alive", "content-length", "date", "server")
            return answer.status, {name: value for name, value in answer.getheaders() if name.lower() not in dropped}, data
        finally:
            connection.close()
