"""What health checks do beside asking, and what that holds back."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from shutil import which

import pytest
from compose_oracle import write
from conftest import harden

from hardener.needs.asking import does_more, stores_what_it_fetches
from hardener.report import Status

ASKS = [
    "CMD wget --spider -q http://localhost:8080/health",
    "CMD-SHELL wget -qO- http://localhost:8080/health || exit 1",
    "CMD-SHELL wget --no-verbose --tries=1 -O /dev/null http://localhost || exit 1",
    "CMD-SHELL wget http://localhost --output-document=- | grep ok",
    "CMD-SHELL /usr/bin/wget -q -T 5 -O/dev/null http://localhost",
    "CMD curl -f http://localhost",
    "CMD-SHELL curl --cacert /checks/ca.pem https://localhost && test -f /checks/there",
    "CMD-SHELL curl -fsSo /dev/null -XPOST http://localhost/wget || exit 1",
    "CMD-SHELL [ $(curl -s -o /dev/null -w '%{http_code}' http://localhost) = 200 ]",
    'CMD-SHELL test "`wget -qO- http://localhost`" = ok',
    "CMD redis-cli ping",
    "CMD-SHELL valkey-cli --cert \\\n      /checks/cert.pem ping",
    "CMD mongosh --eval db.adminCommand('ping')",
    "CMD-SHELL echo 'db.runCommand(\"ping\").ok' | mongosh localhost:27017/test --quiet",
    "CMD-SHELL mysqladmin ping -h localhost -p$$PASSWORD",
    "CMD-SHELL rabbitmq-diagnostics -q ping && curl -f http://localhost:8086/ping",
    "CMD-SHELL pgrep -f kill || exit 1",
    "CMD-SHELL kcat -b kill:9092 -L | grep rm",
    "CMD-SHELL pgrep wget",
    "CMD-SHELL command -v wget >/dev/null && wget -qO- http://localhost || curl -f http://localhost",
    "CMD-SHELL curl -f http://localhost || (echo 'wget or curl?' && false)",
    "CMD-SHELL wget 'http://localhost/?a=1&b=2;c' -O- | grep -q ok",
    "CMD-SHELL command -v ping && test -x /checks/ready.sh",
    "CMD node -e require('http').get('http://localhost/ping')",
    "NONE",
    "",
]
STORES = {
    "CMD-SHELL wget http://localhost:7474": "wget",
    "CMD-SHELL wget --no-verbose --tries=1 http://localhost/ping || exit 1": "wget",
    "CMD sh -c wget -q http://localhost && exit 0": "wget",
    "CMD-SHELL sh -c 'wget -q http://localhost'": "wget",
    "CMD-SHELL nc -z localhost 80; /usr/bin/wget -P /srv http://localhost": "wget",
    "CMD-SHELL wget -O /tmp/page http://localhost": "wget",
    "CMD-SHELL sh -c 'wget -q http://localhost; wget -O- http://localhost'": "wget",
    "CMD timeout 5 wget http://localhost": "wget",
    "CMD curl -fsSO http://localhost/health": "curl",
    "CMD-SHELL curl -s -D /tmp/head http://localhost > /dev/null": "curl",
}


ACTS = {
    "CMD ping -c1 db": "sends what may take a capability (`ping`)",
    "CMD-SHELL curl -f http://localhost/ping || kill 1": "ends what may be another account's (`kill`)",
    "CMD-SHELL curl -f x || bash -c 'kill -s 15 -1 && (sleep 10; kill -9 -1)'": "ends what may be another account's (`kill`)",
    "CMD-SHELL redis-cli ping && /bin/rm -f /srv/failed": "changes files (`rm`)",
    'CMD-SHELL [ "$(ping -c1 db | wc -l)" -gt 3 ]': "sends what may take a capability (`ping`)",
    "CMD sh -c wget http://localhost": "stores what it fetches (`wget`)",
    "CMD-SHELL timeout -k 9 5 ping -c1 db": "sends what may take a capability (`ping`)",
    "CMD env WAIT=1 ping -c1 db": "sends what may take a capability (`ping`)",
    "CMD-SHELL WAIT=1 kill 1": "ends what may be another account's (`kill`)",
    "CMD-SHELL curl -f x || { kill 1; }": "ends what may be another account's (`kill`)",
    "CMD-SHELL curl -f x || ( kill 1 )": "ends what may be another account's (`kill`)",
    "CMD-SHELL bash -o pipefail -c 'curl -f x | grep ok || kill 1'": "ends what may be another account's (`kill`)",
    "CMD-SHELL case $(curl x) in ok) exit 0;; *) kill 1;; esac": "ends what may be another account's (`kill`)",
    "CMD-SHELL pgrep java | xargs kill": "ends what may be another account's (`kill`)",
    "CMD-SHELL find /srv -name failed -exec rm {} +": "changes files (`rm`)",
    "CMD-SHELL . /checks/ready.sh": "runs `/checks/ready.sh`, which is mounted and was not looked at",
    "CMD node --trace-warnings /checks/ready.js": "runs `/checks/ready.js`, which is mounted and was not looked at",
    "CMD /checks/ready.sh": "runs `/checks/ready.sh`, which is mounted and was not looked at",
    "CMD-SHELL pg_isready && /bin/sh -e /checks/ready.sh 5": "runs `/checks/ready.sh`, which is mounted and was not looked at",
}


@pytest.mark.parametrize("text", ASKS)
def test_what_only_asks(text: str) -> None:
    assert not stores_what_it_fetches(text)
    assert not does_more(text, ["/checks", "/usr/share/nginx/html"])


@pytest.mark.parametrize(("text", "what"), ACTS.items())
def test_what_does_more(text: str, what: str) -> None:
    assert does_more(text, ["/checks"]) == what


@pytest.mark.parametrize("text", ["wget -O- ", "wget -O-;", "sh -c 'wget -O- ", "find -exec curl ", "$(", "kill", "{ "])
def test_what_is_long_takes_no_time(text: str) -> None:
    begin = time.process_time()
    does_more(text * (9_900 // len(text)), ["/checks"])
    assert does_more(text * 100_000, ["/checks"]) == "is longer than what is looked through"
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(("text", "name"), STORES.items())
def test_what_stores(text: str, name: str) -> None:
    assert stores_what_it_fetches(text) == name


@pytest.mark.parametrize(("check", "status"), [("", Status.HELD_BACK), (" --spider", Status.APPLIED)])
def test_what_stores_holds_back_what_it_may_break(check: str, status: Status, tmp_path: Path) -> None:
    """With a root that it cannot write it fails, and whatever waits for the service waits for ever."""
    text = f"services:\n  web:\n    image: nginx:1.27\n    healthcheck:\n      test: wget{check} http://localhost\n"
    data = {"compose.yaml": text.encode()}
    write(tmp_path, data)
    (found,) = [
        one for one in harden(tmp_path, data, unsafe=False).report.outcomes if one.finding.rule == "writable-root-filesystem"
    ]
    assert found.status is status
    assert ("its health check stores what it fetches (`wget`)" in found.why) is (status is Status.HELD_BACK)


@pytest.mark.skipif(which("wget") is None or which("python3") is None, reason="needs wget")
@pytest.mark.parametrize(
    ("options", "stored"), [([], True), (["-O", "-"], False), (["--spider"], False), (["-P", "there"], True)]
)
def test_wget_says_the_same(options: list[str], stored: bool, tmp_path: Path) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        command = ["wget", "-q", "--no-proxy", *options, f"http://127.0.0.1:{server.server_port}/health"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        server.shutdown()
    assert bool(list(tmp_path.rglob("*"))) is stored is bool(stores_what_it_fetches(" ".join(command)))
