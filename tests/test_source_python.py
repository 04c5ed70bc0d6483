"""What is read of Python programs: real-looking ones in, what their containers must allow out, and doubts where nothing tells."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.needs.source import python_checks, python_libraries
from hardener.needs.source.python import reader
from hardener.needs.source.uses import (
    CAPABILITIES,
    ESCALATION,
    EVERYTHING,
    MEMORY,
    PORTS,
    USERS,
    WRITES,
    Program,
    Uses,
    unknown,
)
from tests.programs import program_of

FOLDER = Path(python_libraries.__file__).parent / "libraries"
DOCKERFILE = "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nCMD {}\n"


def read(
    folder: Path,
    files: dict[str, str] | str,
    command: str = '["python", "app.py"]',
    environment: dict[str, str] | None = None,
) -> Uses:
    """What the reader finds in an app below /app; programs that it starts are doubts that name their words."""
    files = {"app.py": files} if isinstance(files, str) else files
    program = program_of(folder, DOCKERFILE.format(command), files, environment)
    found = reader(program, lambda other: unknown(f"started: {' '.join(other.words)}"))
    assert found is not None
    return found


def written(uses: Uses) -> dict[str, str]:
    return {write.path: write.kind for write in uses.writes}


def ports(uses: Uses) -> set[int]:
    return {listen.number for listen in uses.listens}


def is_clear(uses: Uses) -> bool:
    """Whether nothing is open that decides about privilege."""
    return not uses.open(CAPABILITIES, ESCALATION, USERS)


COUNTER = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import redis

store = redis.Redis(host=os.environ["STORE"])

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        text = b"seen %d times" % store.incr("seen")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text)

ThreadingHTTPServer(("", 5000), Page).serve_forever()
"""
NOTES = """
import os, json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import psycopg2

def connection():
    made = psycopg2.connect(os.environ["DATABASE_URL"])
    made.autocommit = True
    return made

class Notes(BaseHTTPRequestHandler):
    def do_GET(self):
        with connection() as it, it.cursor() as cursor:
            cursor.execute("select body from notes")
            self.wfile.write(json.dumps([row[0] for row in cursor.fetchall()]).encode())

ThreadingHTTPServer(("0.0.0.0", 8000), Notes).serve_forever()
"""
SENSORS = """
import threading, json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import paho.mqtt.client as mqtt
last = {}
client = mqtt.Client(client_id="recorder")
client.on_message = lambda one, data, message: last.__setitem__(message.topic, message.payload.decode())
client.connect("broker", 1883, 10)
client.loop_start()
class Last(BaseHTTPRequestHandler):
    def do_POST(self):
        client.publish("sensors/" + self.path.strip("/"), self.rfile.read(int(self.headers["Content-Length"])), qos=1)
ThreadingHTTPServer(("", 8080), Last).serve_forever()
"""


@pytest.mark.parametrize(("text", "port"), [(COUNTER, 5000), (NOTES, 8000), (SENSORS, 8080)], ids=["redis", "postgres", "mqtt"])
def test_a_small_service_leaves_nothing_open(text: str, port: int, tmp_path: Path) -> None:
    uses = read(tmp_path, text, environment={"STORE": "redis", "DATABASE_URL": "postgresql://app@db/app"})
    assert not uses.doubts
    assert not uses.writes
    assert not uses.capabilities
    assert not uses.runs
    assert not uses.users
    assert ports(uses) == {port}
    assert uses.memory is not None
    assert uses.memory.mib == 512
    assert uses.listens[0].evidence.source.endswith(f"app.py:{text[: text.index('ThreadingHTTPServer((')].count(chr(10)) + 1}")


#: Statements, and what is written then. The program runs in /app with DATA=/data and TMPDIR unset.
WRITES_OF = [
    ('open("a.txt", "w")', {"/app/a.txt": "data"}),
    ('open("/data/a.txt")', {}),
    ('open("/data/a.txt", "rb")', {}),
    ('open("/data/a.txt", mode="a+")', {"/data/a.txt": "data"}),
    ('open(os.devnull, "w"); open("/dev/stdout", "w"); open("/proc/self/fd/1", "w")', {}),
    ('open(os.path.join(os.environ["DATA"], "x", "y.bin"), "wb")', {"/data/x/y.bin": "data"}),
    ('open(os.getenv("ELSEWHERE", "/var/lib/it") + "/f", "x")', {"/var/lib/it/f": "data"}),
    ('open(f"{os.environ[\'DATA\']}/{name}.json", "w")', {"/data": "data"}),
    ('open("/data/%s-%d.txt" % (name, 1), "w")', {"/data": "data"}),
    ('open("/data/{}.txt".format(name), "w")', {"/data": "data"}),
    ("os.makedirs(os.path.join(os.path.dirname(__file__), 'uploads'), exist_ok=True)", {"/app/uploads": "data"}),
    ("BASE = pathlib.Path(__file__).resolve().parent\n(BASE / 'out' / name).write_text('x')", {"/app/out": "data"}),
    ("pathlib.Path('/data').joinpath('a').mkdir(parents=True)", {"/data/a": "data"}),
    ("p = pathlib.Path('/data/a')\nwith p.open('w') as f: f.write('')", {"/data/a": "data"}),
    ("p = pathlib.Path('/data/a')\nprint(p.open().read())", {}),
    ("p = '/data/a'\np = pathlib.Path(p)\np.touch()", {"/data/a": "data"}),
    ("for folder in ['/data/in', '/data/out']:\n    os.mkdir(folder)", {"/data/in": "data", "/data/out": "data"}),
    ("shutil.copyfile('/etc/hosts', '/data/hosts')", {"/data/hosts": "data"}),
    ("os.replace('/data/a.new', '/data/a')", {"/data/a.new": "data", "/data/a": "data"}),
    ("from os import remove as away\naway('/data/a')", {"/data/a": "data"}),
    ("from os import *\nmkdir('/data/a')", {"/data/a": "data"}),
    ("import os as system\nsystem.unlink('/data/a')", {"/data/a": "data"}),
    ("tempfile.NamedTemporaryFile()", {"/tmp": "scratch"}),
    ("tempfile.mkdtemp(dir='/data')", {"/data": "scratch"}),
    ("with tempfile.TemporaryDirectory() as folder:\n    open(os.path.join(folder, 'x'), 'w')", {"/tmp": "scratch"}),
    # It sorts in temporary files, also what it holds in memory (measured).
    ("sqlite3.connect('db/app.sqlite')", {"/app/db": "data", "/tmp": "scratch"}),
    ("sqlite3.connect(':memory:')", {"/tmp": "scratch"}),
    ("gzip.open('/data/a.gz', 'wb')", {"/data/a.gz": "data"}),
    ("zipfile.ZipFile('/data/a.zip').extractall('/data/all')", {"/data/all": "data"}),
    ("logging.basicConfig(filename='/var/log/it.log')", {"/var/log/it.log": "log"}),
    ("logging.basicConfig(level=logging.INFO)", {}),
    ("logging.handlers.RotatingFileHandler('logs/it.log')", {"/app/logs": "log"}),
    (
        "logging.config.dictConfig({'handlers': {'f': {'class': 'logging.FileHandler', 'filename': '/data/it.log'}}})",
        {"/data": "log"},
    ),
    ("os.makedirs('/run/it'); open('/run/it/it.pid', 'w')", {"/run/it": "run", "/run/it/it.pid": "run"}),
    ("'a-b'.replace('-', '_'); [1].remove(1); {}.get('x'); datetime.datetime.now().replace(hour=1)", {}),
    (
        "def save(path, text):\n    with open(path, 'w') as f: f.write(text)\nsave('/data/one', '')\nsave('/data/two', '')",
        {"/data/one": "data", "/data/two": "data"},
    ),
    (
        "class Store:\n    def __init__(self, folder='/data/store'):\n        self.folder = folder\n    def keep(self, key):\n"
        "        open(os.path.join(self.folder, key), 'w')\nStore()",
        {"/data/store": "data"},
    ),
    (
        "class A:\n    to = '/data/a'\n    def go(self):\n        open(self.to, 'w')\nclass B(A):\n    to = '/data/b'",
        {"/data/a": "data", "/data/b": "data"},
    ),
    ("class A:\n    to = '/data/a'\na = A()\na.to = '/data/b'\nopen(a.to, 'w')", {"/data/a": "data", "/data/b": "data"}),
    ("class A:\n    @property\n    def to(self):\n        return '/data/a'\nopen(A().to, 'w')", {"/data/a": "data"}),
    ("os.chdir('/data')\nopen('x', 'w')", {"/app/x": "data", "/data/x": "data"}),
]
IMPORTS = (
    "import os, sys, datetime, pathlib, shutil, tempfile, sqlite3, gzip, zipfile, socket, subprocess, time\n"
    "import logging, logging.handlers, logging.config\nname = sys.argv[1] if len(sys.argv) > 1 else input()\n"
)


@pytest.mark.parametrize(("code", "expected"), WRITES_OF, ids=[code[:40] for code, _ in WRITES_OF])
def test_what_is_written_is_named(code: str, expected: dict[str, str], tmp_path: Path) -> None:
    uses = read(tmp_path, IMPORTS + code, environment={"DATA": "/data"})
    assert written(uses) == expected
    assert not uses.doubts


#: Statements that cannot be told, and the questions that they leave open.
DOUBTS = [
    ("open(name, 'w')", {WRITES}),
    ("open('/data/a', name)", set()),
    ("open(os.environ['NOWHERE'], 'w')", {WRITES}),
    ("open('/' + name, 'w')", {WRITES}),
    ("def save(path):\n    open(path, 'w')\nCALLBACKS = [save]", {WRITES}),
    ("def save(path, **more):\n    open(path, 'w')\nsave(**dict(path=name))", {WRITES}),
    ("def saved(thing):\n    thing.write_text('x')", {WRITES}),
    ("list(map(os.remove, sys.argv))", {WRITES}),
    ("logging.config.fileConfig(name)", {WRITES}),
    ("import json\nlogging.config.dictConfig(json.load(open('log.json')))", {WRITES}),
    ("eval(name)", EVERYTHING),
    ("exec(open('more.py').read())", EVERYTHING),
    ("eval('1 + 1')", set()),
    ("import importlib\nimportlib.import_module(name)", EVERYTHING),
    ("getattr(os, name)('x')", EVERYTHING),
    ("things = [os, sys]", EVERYTHING),
    ("import ctypes\nctypes.CDLL(None)", EVERYTHING),
    ("import scapy.all", EVERYTHING),
    ("try:\n    import scapy\nexcept ImportError:\n    scapy = None", EVERYTHING),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import scapy", set()),
    ("os.system(name)", EVERYTHING),
    ("os.__dict__['system']('x')", EVERYTHING),
    ("sys.modules['os'].system(name)", EVERYTHING),
    ("shutil.os.system(name)", EVERYTHING),
    ("import os as o\nclass A:\n    fs = o\n", EVERYTHING),
    ("class A:\n    to = '/data/a'\na = A()\na.to = name\nopen(a.to, 'w')", {WRITES}),
    ("subprocess.run([name, '-x'])", EVERYTHING),
    ("os.kill(int(name), 15)", {CAPABILITIES}),
    ("os.kill(os.getpid(), 15)", set()),
    ("child = subprocess\nprint(child)", EVERYTHING),
    ("os.chmod('/etc/passwd', 0o600)", {CAPABILITIES}),
    ("open('/data/a', 'w'); os.chmod('/data/a', 0o600)", set()),
    ("os.mkdir('/data/a'); os.chmod('/data/a/b', 0o600)", set()),
    ("import fcntl\nfcntl.ioctl(0, 1)", {CAPABILITIES}),
    ("import multiprocessing\nmultiprocessing.Pool()", {MEMORY}),
    ("socket.socket().bind(('', int(name)))", {PORTS}),
    ("open('/proc/sys/net/ipv4/ip_forward', 'w')", {CAPABILITIES}),
]


@pytest.mark.parametrize(("code", "about"), DOUBTS, ids=[code[:40] for code, _ in DOUBTS])
def test_what_cannot_be_told_is_a_doubt_about_what_it_may_be(code: str, about: frozenset[str], tmp_path: Path) -> None:
    uses = read(tmp_path, IMPORTS + code)
    assert frozenset().union(*(doubt.about for doubt in uses.doubts)) == about
    for doubt in uses.doubts:
        if "scapy" not in doubt.text and "started" not in doubt.text:
            assert "app.py:" in doubt.text


#: Statements, and the capabilities and accounts that root needs for them.
PRIVILEGES = [
    ("os.chown('/data/a', 1000, 1000)", {"CHOWN"}, {"1000"}),
    ("shutil.chown('/data/a', 'www-data', 'www-data')", {"CHOWN"}, {"www-data"}),
    ("import pwd\nos.setgid(pwd.getpwnam('app').pw_gid)\nos.setuid(pwd.getpwnam('app').pw_uid)", {"SETGID", "SETUID"}, {"app"}),
    ("os.initgroups('app', 1000)", {"SETGID"}, {"app"}),
    ("become = os.setuid", {"SETUID"}, set()),
    ("getattr(os, 'chroot')('/data')", {"SYS_CHROOT"}, set()),
    ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", {"NET_RAW"}, set()),
    ("socket.socket(2, 3, 1)", {"NET_RAW"}, set()),
    ("socket.socket(17, 3)", {"NET_RAW"}, set()),
    ("socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)", {"NET_RAW"}, set()),
    ("socket.socket(socket.AF_INET, socket.SOCK_STREAM)", set(), set()),
    ("os.mknod('/data/null')", {"MKNOD"}, set()),
    ("os.nice(-5)", {"SYS_NICE"}, set()),
    ("os.nice(5)", set(), set()),
    ("time.clock_settime(0, 1)", {"SYS_TIME"}, set()),
]


@pytest.mark.parametrize(("code", "capabilities", "users"), PRIVILEGES, ids=[one[0][:40] for one in PRIVILEGES])
def test_privileges_are_named(code: str, capabilities: set[str], users: set[str], tmp_path: Path) -> None:
    uses = read(tmp_path, IMPORTS + code)
    assert {one.name for one in uses.capabilities} == capabilities
    assert {one.name for one in uses.users} == users


#: Statements, and the words of what they start.
COMMANDS = [
    ("subprocess.run(['ping', '-c', '1', name])", ["ping -c 1 $_"]),
    ("subprocess.check_output('ls -l /data', shell=True)", ["sh -c ls -l /data"]),
    ("subprocess.Popen([sys.executable, '-m', 'http.server'])", ["python3 -m http.server"]),
    ("os.system(f'ffmpeg -i {name} /tmp/x')", ["sh -c ffmpeg -i $_ /tmp/x"]),
    ("TOOL = '/usr/bin/git'\nsubprocess.call((TOOL, 'log'))", ["/usr/bin/git log"]),
    ("words = ['tar']\nwords.append(name)\nsubprocess.run(words)", ["tar $_"]),
    ("words = ['tar']\nwords += ['-x']\nsubprocess.run(words + ['y'])", ["tar y $_"]),
    ("os.execvp('nginx', ['nginx', '-g', 'daemon off;'])", ["nginx -g daemon off;"]),
    ("import asyncio\nasync def go():\n    await asyncio.create_subprocess_exec('id', '-u')", ["id -u"]),
    ("os.popen('uptime').read()", ["sh -c uptime"]),
    ("def run(*words):\n    subprocess.run(['git', *words])\nrun('pull')", ["git $_"]),
]


@pytest.mark.parametrize(("code", "expected"), COMMANDS, ids=[code[:40] for code, _ in COMMANDS])
def test_programs_that_are_started_are_read_by_others(code: str, expected: list[str], tmp_path: Path) -> None:
    uses = read(tmp_path, IMPORTS + code)
    assert [doubt.text.removeprefix("started: ") for doubt in uses.doubts] == expected
    assert [run.name for run in uses.runs] == [words.split()[0].rpartition("/")[2] for words in expected]


#: Statements, and the ports that are bound.
LISTENERS = [
    ("from flask import Flask\napp = Flask(__name__)\napp.run(host='0.0.0.0', port=int(os.environ.get('PORT', 8080)))", {8080}),
    ("from flask import Flask\ndef create():\n    return Flask(__name__)\ncreate().run()", {5000}),
    ("import uvicorn\nfrom fastapi import FastAPI\napp = FastAPI()\nuvicorn.run(app, host='0.0.0.0', port=80)", {80}),
    ("s = socket.socket()\ns.bind(('0.0.0.0', 7000))", {7000}),
    ("class Server:\n    def __init__(self):\n        self.s = socket.socket()\n        self.s.bind(('', 7001))", {7001}),
    ("import socketserver\nclass S(socketserver.ThreadingMixIn, socketserver.TCPServer): pass\nS(('', 7002), None)", {7002}),
    ("import asyncio\nasync def main():\n    await asyncio.start_server(print, '0.0.0.0', 7003)", {7003}),
    ("from aiohttp import web\nweb.run_app(web.Application(), port=7004)", {7004}),
    ("import tornado.web\ntornado.web.Application().listen(7005)", {7005}),
    ("from prometheus_client import start_http_server\nstart_http_server(7006)", {7006}),
    ("from waitress import serve\nserve(None, listen='*:7007')", {7007}),
]


@pytest.mark.parametrize(("code", "expected"), LISTENERS, ids=[code[-40:] for code, _ in LISTENERS])
def test_ports_are_named(code: str, expected: set[int], tmp_path: Path) -> None:
    uses = read(tmp_path, IMPORTS + code)
    assert ports(uses) == expected
    assert not uses.doubts


FLASK = "from flask import Flask\napp = Flask(__name__)\n"
#: Command lines, what runs then, and what must be found: ports, writes, capabilities, MiB.
STARTS: list[tuple[str, dict[str, str], set[int], dict[str, str], set[str], int | None]] = [
    ('["python", "-um", "web"]', {"web.py": "open('a', 'w')"}, set(), {"/app/a": "data"}, set(), 512),
    ('["python", "-W", "ignore", "-m", "web.main"]', {"web/__init__.py": "", "web/main.py": COUNTER}, {5000}, {}, set(), 512),
    ('["python", "-c", "open(\'a\', \'w\')"]', {}, set(), {"/app/a": "data"}, set(), 512),
    ('["./serve"]', {"serve": "#!/usr/bin/env python3\n" + COUNTER}, {5000}, {}, set(), 512),
    ('["gunicorn", "app:app"]', {"app.py": FLASK}, {8000}, {"/tmp": "scratch"}, set(), 512),
    (
        '["gunicorn", "-w", "3", "-b", ":80", "--pid", "/run/g.pid", "app:app"]',
        {"app.py": FLASK},
        {80},
        {"/tmp": "scratch", "/run/g.pid": "run"},
        set(),
        1024,
    ),
    (
        '["gunicorn", "--user=www-data", "--worker-tmp-dir", "/dev/shm", "--chdir", "src", "app:app"]',
        {"src/app.py": FLASK},
        {8000},
        {"/dev/shm": "scratch", "/tmp": "scratch"},
        {"CHOWN", "SETUID", "SETGID"},
        512,
    ),
    (
        '["gunicorn", "app:app"]',
        {
            "app.py": FLASK,
            "gunicorn.conf.py": "bind = ['0.0.0.0:81', 'unix:/run/g.sock']\nworkers = 2\naccesslog = '/var/log/g.log'",
        },
        {81},
        {"/tmp": "scratch", "/run/g.sock": "run", "/var/log/g.log": "log"},
        set(),
        768,
    ),
    (
        '["gunicorn", "-k", "uvicorn.workers.UvicornWorker", "-c", "conf.py", "app:app"]',
        {"app.py": FLASK, "conf.py": "import os\nbind = f\"0.0.0.0:{os.getenv('PORT', '9000')}\"\n"},
        {9000},
        {"/tmp": "scratch"},
        set(),
        512,
    ),
    (
        '["uvicorn", "web.main:app", "--host", "0.0.0.0", "--port", "80", "--workers", "2"]',
        {"web/main.py": "from .more import x\n", "web/more.py": "from fastapi import FastAPI\nx = FastAPI()"},
        {80},
        {"/tmp": "scratch"},
        set(),
        768,
    ),
    ('["flask", "run", "--host=0.0.0.0"]', {"app.py": FLASK}, {5000}, {"/tmp": "scratch"}, set(), 512),
    ('["flask", "--app", "hello", "run", "-p", "81"]', {"hello.py": FLASK}, {81}, {"/tmp": "scratch"}, set(), 512),
    (
        '["python", "-m", "flask", "run"]',
        {"web/__init__.py": FLASK, ".flaskenv": "FLASK_APP=web\nFLASK_RUN_PORT=82\n"},
        {82},
        {"/tmp": "scratch"},
        set(),
        512,
    ),
    (
        '["fastapi", "run", "main.py", "--port", "83"]',
        {"main.py": "from fastapi import FastAPI\napp = FastAPI()"},
        {83},
        {"/tmp": "scratch"},
        set(),
        512,
    ),
    ('["hypercorn", "app:app", "-b", "0.0.0.0:84"]', {"app.py": FLASK}, {84}, {"/tmp": "scratch"}, set(), 512),
    ('["waitress-serve", "--listen=*:85", "app:app"]', {"app.py": FLASK}, {85}, {"/tmp": "scratch"}, set(), 512),
    (
        '["celery", "-A", "tasks", "worker", "-c", "2"]',
        {"tasks.py": "from celery import Celery\napp = Celery()"},
        set(),
        {"/tmp": "scratch"},
        set(),
        1024,
    ),
    (
        '["celery", "-A", "shop.app.worker", "worker", "-c", "2"]',
        {"shop/__init__.py": "", "shop/app.py": "from celery import Celery\nworker = Celery()\nopen('/x/y', 'w')"},
        set(),
        {"/tmp": "scratch", "/x/y": "data"},
        set(),
        1024,
    ),
    (
        '["celery", "-A", "tasks", "beat"]',
        {"tasks.py": "from celery import Celery\napp = Celery()"},
        set(),
        {"/app": "data", "/app/celerybeat.pid": "run", "/tmp": "scratch"},
        set(),
        512,
    ),
    (
        '["celery", "-A", "tasks", "worker"]',
        {"tasks.py": "from celery import Celery\napp = Celery()"},
        set(),
        {"/tmp": "scratch"},
        set(),
        None,
    ),
    ('["python", "-m", "http.server", "86"]', {}, {86}, {}, set(), 512),
]


@pytest.mark.parametrize("case", STARTS, ids=[f"{at}-{one[0][:40]}" for at, one in enumerate(STARTS)])
def test_a_command_line_is_followed_to_its_program(
    case: tuple[str, dict[str, str], set[int], dict[str, str], set[str], int | None], tmp_path: Path
) -> None:
    command, files, bound, places, capabilities, mib = case
    uses = read(tmp_path, files | {"empty": ""}, command)
    assert ports(uses) == bound
    assert written(uses) == places
    assert {one.name for one in uses.capabilities} == capabilities
    assert (uses.memory.mib if uses.memory else None) == mib
    assert not uses.open(CAPABILITIES, ESCALATION, WRITES, PORTS)


#: Command lines of which not all can be told.
UNCLEAR = [
    ('["python", "gone.py"]', {}, EVERYTHING),
    ('["gunicorn", "gone:app"]', {}, EVERYTHING),
    ('["gunicorn", "-c", "/etc/gunicorn.py", "app:app"]', {"app.py": FLASK}, EVERYTHING),
    ('["gunicorn", "-w", "$WORKERS", "app:app"]', {"app.py": FLASK}, {MEMORY}),
    ('["uvicorn", "app:app", "--log-config", "log.yaml"]', {"app.py": FLASK}, {WRITES}),
    ('["python", "app.py"]', {"app.py": "print 'two'"}, EVERYTHING),
    ('["python", "app.py"]', {"app.py": "import more\n", "more.py": "def f(:\n"}, EVERYTHING),
    ('["python", "app.py"]', {"app.py": "x = 1\n" * 60_000}, EVERYTHING),
    ('["poetry", "run", "python", "app.py"]', {"app.py": ""}, {WRITES, MEMORY}),
    ('["python", "app.py"]', {"app.py": "import numpy"}, {MEMORY}),
]


@pytest.mark.parametrize(("command", "files", "about"), UNCLEAR, ids=[one[0] for one in UNCLEAR])
def test_what_a_command_line_hides_is_a_doubt(command: str, files: dict[str, str], about: frozenset[str], tmp_path: Path) -> None:
    uses = read(tmp_path, files | {"empty": ""}, command)
    assert frozenset().union(*(doubt.about for doubt in uses.doubts)) == about
    assert (uses.memory is None) == (MEMORY in about)


@pytest.mark.parametrize("command", ['["nginx"]', '["sh", "-c", "python app.py"]', '["myapp"]', '["python"]', '["./run.sh"]'])
def test_programs_of_others_are_left_to_them(command: str, tmp_path: Path) -> None:
    files = {"app.py": "", "run.sh": "#!/bin/sh\n"}
    assert reader(program_of(tmp_path, DOCKERFILE.format(command), files), lambda other: unknown("")) is None


def test_what_only_a_main_module_does_counts_only_where_it_is_one(tmp_path: Path) -> None:
    text = FLASK + "if __name__ == '__main__':\n    app.run(port=81)\n"
    assert ports(read(tmp_path, text)) == {81}
    assert ports(read(tmp_path, text, '["python", "-m", "app"]')) == {81}
    assert ports(read(tmp_path, text, '["gunicorn", "app:app"]')) == {8000}


def test_a_console_script_of_the_project_is_followed(tmp_path: Path) -> None:
    project = '[project]\nname = "it"\nscripts = { serve = "it.main:go" }\n'
    uses = read(tmp_path, {"pyproject.toml": project, "src/it/main.py": "open('/data/x', 'w')\n"}, '["serve"]')
    assert written(uses) == {"/data/x": "data"}


def test_only_what_is_imported_is_read(tmp_path: Path) -> None:
    files = {
        "app.py": "from lib import store\nimport lib.more as m\n",
        "lib/__init__.py": "",
        "lib/store.py": "from . import paths\nfrom .paths import ROOT\nopen(ROOT + '/a', 'w')\nopen(paths.ROOT + '/b', 'w')",
        "lib/paths.py": "import os\nROOT = os.environ.get('ROOT', '/data')\n",
        "lib/more.py": "",
        "tool.py": "import os\nos.setuid(0)\nimport scapy",
    }
    uses = read(tmp_path, files, environment={"ROOT": "/srv"})
    assert written(uses) == {"/srv/a": "data", "/srv/b": "data"}
    assert not uses.doubts
    assert not uses.capabilities
    assert "5 Python files" in uses.read.claim


def test_folders_that_are_added_to_the_path_are_looked_into(tmp_path: Path) -> None:
    files = {
        "run/app.py": "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'parts'))\nimport part\n",
        "parts/part.py": "import os\nos.setuid(1000)\n",
    }
    uses = read(tmp_path, files, '["python", "run/app.py"]')
    assert [one.name for one in uses.capabilities] == ["SETUID"]
    assert not uses.doubts


def test_a_folder_does_not_hide_a_library_of_the_same_name(tmp_path: Path) -> None:
    uses = read(tmp_path, {"app.py": "import redis\nredis.Redis()", "redis/tool.py": "import scapy"})
    assert not uses.doubts
    assert "`redis`" in uses.read.claim


def test_an_own_module_hides_pythons_own(tmp_path: Path) -> None:
    uses = read(tmp_path, {"app.py": "import queue\n", "queue.py": "open('/data/q', 'w')"})
    assert written(uses) == {"/data/q": "data"}


SETTINGS = """
from pathlib import Path
import os
BASE_DIR = Path(__file__).resolve().parent.parent
INSTALLED_APPS = ["django.contrib.admin", "shop"]
MEDIA_ROOT = os.path.join(BASE_DIR, "media")
STATIC_ROOT = BASE_DIR / "static"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "data" / "db.sqlite3"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/var/cache/shop"}}
LOGGING = {"version": 1, "handlers": {"file": {"class": "logging.FileHandler", "filename": "/var/log/shop.log"}}}
"""
DJANGO = {
    "manage.py": "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_.settings')\n"
    "from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
    "site_/__init__.py": "",
    "site_/settings.py": SETTINGS,
    "shop/__init__.py": "",
    "shop/views.py": "from django.http import HttpResponse\n",
}


def test_django_writes_what_its_settings_say(tmp_path: Path) -> None:
    uses = read(tmp_path, DJANGO, '["python", "manage.py", "runserver", "0.0.0.0:8001"]')
    assert written(uses) == {
        "/app/media": "data",
        "/app/data": "data",
        "/var/cache/shop": "cache",
        "/var/log": "log",
        "/tmp": "scratch",
    }
    assert ports(uses) == {8001}
    assert not uses.doubts


def test_django_finds_modules_that_nothing_imports(tmp_path: Path) -> None:
    files = DJANGO | {"shop/apps.py": "import os\nos.setuid(1000)\n", "shop/tests/test_x.py": "import scapy"}
    uses = read(tmp_path, files, '["gunicorn", "site_.wsgi"]')
    assert uses.open(CAPABILITIES), "wsgi.py is not there"
    uses = read(
        tmp_path, files | {"site_/wsgi.py": "from django.core.wsgi import get_wsgi_application"}, '["gunicorn", "site_.wsgi"]'
    )
    assert {one.name for one in uses.capabilities} == {"SETUID"}
    assert not uses.open(CAPABILITIES)


def test_commands_of_django_count_where_they_are_run(tmp_path: Path) -> None:
    files = DJANGO | {"shop/management/commands/become.py": "import os\nos.setuid(1000)\n"}
    server = read(tmp_path, files, '["python", "manage.py", "runserver"]')
    assert not server.capabilities
    assert [one.name for one in read(tmp_path, files, '["python", "manage.py", "become"]').capabilities] == ["SETUID"]
    files["shop/views.py"] = "from django.core.management import call_command\ncall_command('become')\n"
    assert [one.name for one in read(tmp_path, files, '["python", "manage.py", "runserver"]').capabilities] == ["SETUID"]


UPLOADS = """
import os
from flask import Flask, request
from werkzeug.utils import secure_filename
app = Flask(__name__)
app.config["UPLOAD_FOLDER"] = os.environ.get("UPLOADS", "/srv/uploads")

@app.route("/", methods=["POST"])
def upload():
    file = request.files["file"]
    file.save(os.path.join(app.config["UPLOAD_FOLDER"], secure_filename(file.filename)))
    return "kept"
"""


def test_uploads_go_to_the_folder_that_is_configured(tmp_path: Path) -> None:
    uses = read(tmp_path, UPLOADS, '["flask", "run"]', {"UPLOADS": "/uploads"})
    assert written(uses) == {"/uploads": "data", "/tmp": "scratch"}
    assert not uses.doubts


ENGINE = """
import os
from sqlalchemy import create_engine
engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///./it.db"))
"""


def test_a_database_is_a_file_only_where_no_variable_says_otherwise(tmp_path: Path) -> None:
    assert written(read(tmp_path, ENGINE)) == {"/app": "data", "/tmp": "scratch"}
    assert written(read(tmp_path, ENGINE, environment={"DATABASE_URL": "postgresql://db/x"})) == {}
    elsewhere = {"DATABASE_URL": "sqlite:////data/x.db", "TMPDIR": "/data/tmp"}
    assert written(read(tmp_path, ENGINE, environment=elsewhere)) == {"/data": "data", "/data/tmp": "scratch"}


def test_settings_of_pydantic_are_filled_by_variables(tmp_path: Path) -> None:
    code = (
        "from pydantic_settings import BaseSettings\nclass Settings(BaseSettings):\n    upload_dir: str = '/data/up'\n"
        "settings = Settings()\nopen(settings.upload_dir + '/x', 'w')\n"
    )
    assert written(read(tmp_path, code)) == {"/data/up/x": "data"}
    assert written(read(tmp_path, code, environment={"UPLOAD_DIR": "/up"})) == {"/up/x": "data"}


def test_more_variables_than_are_known_leave_places_open(tmp_path: Path) -> None:
    code = "import os\nopen(os.environ.get('WHERE', '/data/x'), 'w')\n"
    program = program_of(tmp_path, DOCKERFILE.format('["python", "app.py"]'), {"app.py": code})
    uses = reader(program._replace(more_environment=True), lambda other: unknown(""))
    assert uses is not None
    assert uses.open(WRITES)
    assert is_clear(uses)


def test_the_tables_are_whole() -> None:
    """The quick reading of lines gives what a parser of TOML gives, and each check that is named exists."""
    standard = tomllib.loads((FOLDER / "python_standard.toml").read_text())
    assert dict(python_libraries.standard().calls) == standard["calls"]
    table = tomllib.loads((FOLDER / "python.toml").read_text())["library"]
    specs = list(standard["calls"].items())
    for item in table:
        for name in item["imports"]:
            library = python_libraries.library_of(name)
            assert library is not None
            assert library.package == item["package"]
            assert dict(library.calls) == item.get("calls", {})
        assert item["version"]
        assert set(item) <= {*python_libraries.Library.__annotations__, "found"}
        specs += item.get("calls", {}).items()
    names = [name for item in table for name in item["imports"]]
    assert len(names) == len(set(names))
    for name, spec in specs:
        assert "check" not in spec or hasattr(python_checks, spec["check"]), name
        assert set(spec.get("doubt", ())) <= EVERYTHING
        assert "why" in spec or not {"capability", "doubt"} & set(spec), name


WORDS = "import os open exec ( ) [ ] : , . = self def class f'{x}' 'w' '/data' lambda * ** for in if else @ await x".split()
WORDS += ["\n", "\n    ", "\\"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join)), cut=st.integers(0, 2000))
def test_any_text_ends_in_an_answer(text: str, cut: int, tmp_path: Path) -> None:
    program = program_of(tmp_path, DOCKERFILE.format('["python", "app.py"]'), {})
    for source in (text, UPLOADS[:cut] + text, (SETTINGS + IMPORTS)[:cut]):
        files = _Files({"/app/app.py": source})
        assert reader(program._replace(files=files), lambda other: unknown("")) is not None  # type: ignore[arg-type]


@given(
    words=st.lists(
        st.sampled_from(
            [
                "gunicorn",
                "uvicorn",
                "-c",
                "-b",
                "--bind=",
                ":",
                "-m",
                "python",
                "celery",
                "-A",
                "app",
                "run",
                "flask",
                "",
                "-",
                "--",
                "-w",
                "x:y",
            ]
        ),
        min_size=1,
    )
)
def test_any_command_line_ends_in_an_answer(words: list[str]) -> None:
    program = Program(tuple(words), "/app", {}, False, _Files({"/app/app.py": "x = 1"}))  # type: ignore[arg-type]
    reader(program, lambda other: unknown(""))


class _Files:
    """Files of an image that are only texts."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def kind(self, path: str) -> str:
        return "file" if path in self.texts else "folder" if any(one.startswith(path + "/") for one in self.texts) else ""

    def text(self, path: str) -> str | None:
        return self.texts.get(path)

    def walk(self, folder: str = "/") -> list[str]:
        return [path for path in self.texts if path.startswith(folder)]

    def origin(self, path: str) -> str:
        return path.removeprefix("/app/")
