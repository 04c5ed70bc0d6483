"""The command lines of servers and tools that run a Python program: what they load, bind, write and become. Reads no source.

Sources: benoitc/gunicorn gunicorn/config.py, encode/uvicorn uvicorn/main.py, pgjones/hypercorn hypercorn/__main__.py,
django/daphne daphne/cli.py, Pylons/waitress src/waitress/runner.py, pallets/flask src/flask/cli.py, django/django
django/core/management, celery/celery celery/bin, in the versions that `libraries/python.toml` names.
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hardener.needs.source.python_launch import Launch
from hardener.needs.source.uses import EVERYTHING, Doubt, Program

if TYPE_CHECKING:
    from hardener.needs.source.python_effects import Effects

Server = Callable[[Program, Launch, "tuple[str, ...]"], "Launch | None"]


class Options:
    """A command line with its options by name; `plain` are the words that are none."""

    def __init__(self, words: tuple[str, ...], flags: str, short: Mapping[str, str]) -> None:
        self.values: dict[str, list[str]] = {}
        self.plain: list[str] = []
        bare = set(flags.split())
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word == "--":
                self.plain += rest
                break
            if not word.startswith("-") or word == "-":
                self.plain.append(word)
                continue
            name, equal, value = word.partition("=")
            if not word.startswith("--") and len(word) > 2:
                name, equal, value = word[:2], "=", word[2:].removeprefix("=")
            name = short.get(name, name).lstrip("-")
            if name in bare:
                value = ""
            elif not equal:
                value = rest.pop(0) if rest else ""
            self.values.setdefault(name, []).append(value)

    def get(self, *names: str) -> str | None:
        """The last value of an option; None where it is not given."""
        for name in names:
            if name in self.values:
                return self.values[name][-1]
        return None


def gunicorn(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Gunicorn, with its configuration file, which is Python."""
    more = program.variable("GUNICORN_CMD_ARGS")
    options = Options(
        (*(shlex.split(more) if more and "'" not in more and '"' not in more else ()), *words),
        "reload daemon preload check-config print-config spew capture-output log-syslog no-sendfile reuse-port proxy-protocol"
        " enable-stdio-inheritance initgroups strip-header-spaces no-control-socket",
        {
            "-b": "--bind", "-w": "--workers", "-k": "--worker-class", "-c": "--config", "-p": "--pid", "-u": "--user",
            "-g": "--group", "-n": "--name", "-t": "--timeout", "-D": "--daemon", "-R": "--enable-stdio-inheritance",
            "-e": "--env", "-m": "--umask",
        },
    )  # fmt: skip
    doubts = [] if more is not None else [Doubt(EVERYTHING, "what GUNICORN_CMD_ARGS says")]
    folder = posixpath.join(program.workdir, options.get("chdir") or "")
    for pair in options.values.get("env", ()):
        name, _, value = pair.partition("=")
        program = program._replace(environment={**program.environment, name: value})
    config = options.get("config")
    named = (config or "gunicorn.conf.py").removeprefix("file:")
    path = posixpath.normpath(posixpath.join(folder, named))
    files: tuple[str, ...] = ()
    if config is not None and config.startswith("python:"):
        path = posixpath.join(folder, *config.removeprefix("python:").split(".")) + ".py"
    if config is not None and program.files.kind(path) != "file":
        doubts.append(Doubt(EVERYTHING, f"what gunicorn's configuration `{config}` says"))
    elif program.files.kind(path) == "file":
        files = (path,)
    app = options.plain[0] if options.plain else ""
    modules = [app.partition(":")[0]] if app else []
    kind = options.get("worker-class") or ""
    extra = [name for name in ("uvicorn", "gevent", "eventlet", "tornado") if name in kind.lower()]
    if kind and not extra and kind not in ("sync", "gthread"):
        modules.append(kind.rpartition(".")[0])

    def finish(effects: Effects) -> None:
        from hardener.needs.source.python_gunicorn import finish as finish_gunicorn

        finish_gunicorn(effects, options, files, program)

    return launch._replace(
        roots=(folder, *([options.get("pythonpath") or ""] if options.get("pythonpath") else [])),
        files=files,
        modules=(*modules, *extra, "gunicorn"),
        doubts=tuple(doubts),
        finish=finish,
        workdir=folder,
    )


def uvicorn(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Uvicorn; its options may come from UVICORN_... too."""
    flags = (
        "reload no-access-log access-log use-colors no-use-colors proxy-headers no-proxy-headers server-header no-server-header"
        " date-header no-date-header factory"
    )
    options = Options(words, flags, {})
    if not options.plain:
        return None
    doubts = []
    port = options.get("port") or program.variable("UVICORN_PORT", "8000")
    workers = options.get("workers") or program.variable("WEB_CONCURRENCY", "1")
    if options.get("log-config"):
        doubts.append(Doubt(frozenset(("writes",)), f"where `{options.get('log-config')}` lets uvicorn log to"))

    def finish(effects: Effects) -> None:
        if options.get("uds"):
            effects.place_written(options.get("uds") or "", "run", "binds its socket")
        else:
            effects.port(port, program.at)

    root = posixpath.join(program.workdir, options.get("app-dir") or "")
    return launch._replace(
        roots=(root,),
        modules=(options.plain[0].partition(":")[0], "uvicorn"),
        workers=_more_than_one(workers),
        finish=finish,
        doubts=tuple(doubts),
    )


def hypercorn(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Hypercorn; a configuration file is not read."""
    options = Options(
        words,
        "debug reload",
        {
            "-b": "--bind",
            "-w": "--workers",
            "-c": "--config",
            "-k": "--worker-class",
            "-g": "--group",
            "-u": "--user",
            "-m": "--umask",
            "-p": "--pid",
        },
    )
    if not options.plain:
        return None
    doubts = [
        Doubt(EVERYTHING, f"what hypercorn's option `--{name}` asks for")
        for name in ("config", "user", "group")
        if options.get(name)
    ]

    def finish(effects: Effects) -> None:
        for bind in options.values.get("bind", ["127.0.0.1:8000"]):
            effects.bound(bind, program.at)
        for name in ("pid", "access-logfile", "error-logfile", "access-log", "error-log"):
            value = options.get(name)
            if value and value != "-":
                effects.place_written(value, "run" if name == "pid" else "log", f"writes its --{name}")

    return launch._replace(
        modules=(options.plain[0].rpartition(":")[0] or options.plain[0], "hypercorn"),
        workers=_more_than_one(options.get("workers") or "1"),
        finish=finish,
        doubts=tuple(doubts),
    )


def daphne(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Daphne."""
    options = Options(
        words,
        "proxy-headers",
        {"-p": "--port", "-b": "--bind", "-u": "--unix-socket", "-v": "--verbosity", "-t": "--http-timeout", "-e": "--endpoint"},
    )
    if not options.plain:
        return None

    def finish(effects: Effects) -> None:
        if options.get("unix-socket"):
            effects.place_written(options.get("unix-socket") or "", "run", "binds its socket")
        else:
            effects.port(options.get("port") or "8000", program.at)
        if options.get("access-log") not in (None, "-"):
            effects.place_written(options.get("access-log") or "", "log", "writes its --access-log")

    return launch._replace(modules=(options.plain[0].partition(":")[0], "daphne"), everything=True, finish=finish)


def waitress(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Waitress."""
    options = Options(words, "call help expose-tracebacks no-expose-tracebacks ipv4 no-ipv4 ipv6 no-ipv6", {})
    if not options.plain:
        return None

    def finish(effects: Effects) -> None:
        if options.get("unix-socket"):
            effects.place_written(options.get("unix-socket") or "", "run", "binds its socket")
        for listen in options.values.get("listen", ()):
            effects.bound(listen, program.at)
        if not options.get("listen") and not options.get("unix-socket"):
            effects.port(options.get("port") or "8080", program.at)

    return launch._replace(modules=(options.plain[0].partition(":")[0], "waitress"), finish=finish)


def flask(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """`flask run` and its other commands; `.flaskenv` and `.env` fill variables."""
    options = Options(
        words,
        "debug no-debug reload no-reload debugger no-debugger with-threads without-threads",
        {"-A": "--app", "-e": "--env-file", "-h": "--host", "-p": "--port"},
    )
    variables = dict(env_file(program, ".env")) | dict(env_file(program, ".flaskenv"))

    def variable(name: str, default: str) -> str | None:
        return program.variable(name, variables.get(name, default))

    app = options.get("app") or variable("FLASK_APP", "")
    if app is None:
        return None
    name = app.partition(":")[0].removesuffix(".py").strip().replace("/", ".").lstrip(".")
    if not name:
        found = [
            one
            for one in ("wsgi", "app")
            if program.files.kind(posixpath.join(program.workdir, one + ".py"))
            or program.files.kind(posixpath.join(program.workdir, one))
        ]
        if not found:
            return None
        name = found[0]

    def finish(effects: Effects) -> None:
        if options.plain[:1] == ["run"]:
            effects.port(options.get("port") or variable("FLASK_RUN_PORT", "5000"), program.at)

    return launch._replace(
        modules=(name, "flask"), finish=finish, everything=options.plain[:1] != ["run"], variables=tuple(variables.items())
    )


def fastapi(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """`fastapi run` and `fastapi dev`."""
    options = Options(words, "reload no-reload proxy-headers no-proxy-headers", {})
    name = options.plain[1] if len(options.plain) > 1 else ""
    for one in ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py"):
        if not name and program.files.kind(posixpath.join(program.workdir, one)) == "file":
            name = one
    if not name or options.plain[0] not in ("run", "dev"):
        return None
    path = posixpath.normpath(posixpath.join(program.workdir, name))
    if program.files.kind(path) == "folder":
        path = posixpath.join(path, "main.py")
    root = posixpath.dirname(path)
    while program.files.kind(posixpath.join(root, "__init__.py")) == "file":
        root = posixpath.dirname(root)
    workers = _more_than_one(options.get("workers") or "1")

    def finish(effects: Effects) -> None:
        effects.port(options.get("port") or program.variable("PORT", "8000"), program.at)

    return launch._replace(
        roots=(root, program.workdir), files=(path,), modules=("fastapi", "uvicorn"), workers=workers, finish=finish
    )


def django(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """`manage.py` and `django-admin`: which command, and the port of `runserver`."""
    command = words[0] if words else ""
    settings = program.variable("DJANGO_SETTINGS_MODULE")
    named = next((word.partition("=")[2] for word in words if word.startswith("--settings=")), settings or "")

    def finish(effects: Effects) -> None:
        if command == "runserver":
            plain = [word for word in words[1:] if not word.startswith("-")]
            effects.port(plain[0].rpartition(":")[2] if plain else "8000", program.at)
        if command == "collectstatic":
            effects.setting_written("STATIC_ROOT", "data", program.at)

    return launch._replace(modules=("django", *([named] if named else ())), everything=True, finish=finish)


def _module_of_app(program: Program, root: str, app: str) -> str:
    """The module that `--app` names: all of it, or all but the last part, which then is an attribute of that."""
    name = app.partition(":")[0]
    stem = posixpath.join(root, *name.split("."))
    there = program.files.kind(f"{stem}.py") == "file" or program.files.kind(stem) == "folder"
    return name if there or "." not in name else name.rpartition(".")[0]


def celery(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Workers and the scheduler of Celery; what they find by name is all of the project."""
    flags = "beat without-gossip without-mingle without-heartbeat detach quiet no-color purge discard task-events autoreload"
    short = {
        "-A": "--app",
        "-b": "--broker",
        "-l": "--loglevel",
        "-c": "--concurrency",
        "-P": "--pool",
        "-Q": "--queues",
        "-n": "--hostname",
        "-B": "--beat",
        "-E": "--task-events",
        "-s": "--schedule",
        "-f": "--logfile",
        "-S": "--scheduler",
        "-D": "--detach",
        "-O": "--optimization",
        "-X": "--exclude-queues",
        "-q": "--quiet",
    }
    options = Options(words, flags, short)
    app = options.get("app") or program.variable("CELERY_APP") or ""
    if not app or not options.plain or options.plain[0] not in ("worker", "beat", "inspect", "status", "report"):
        return None
    beats = options.plain[0] == "beat" or options.get("beat") is not None
    doubts = []
    if options.get("uid") or options.get("gid"):
        doubts.append(Doubt(frozenset(("capabilities", "users")), "the account that celery becomes"))
    count = options.get("concurrency")
    single = options.get("pool") in ("solo", "threads", "gevent", "eventlet") or options.plain[0] != "worker"

    def finish(effects: Effects) -> None:
        if beats and "DatabaseScheduler" not in (options.get("scheduler") or ""):
            schedule = options.get("schedule") or "celerybeat-schedule"
            effects.place_written(posixpath.dirname(schedule) or ".", "data", f"writes {posixpath.basename(schedule)}")
        if options.plain[0] == "beat" and options.get("pidfile") != "":
            effects.place_written(options.get("pidfile") or "celerybeat.pid", "run", "writes its process number")
        for name, kind in (("logfile", "log"), ("statedb", "data")):
            if options.get(name):
                effects.place_written(options.get(name) or "", kind, f"writes its --{name}")

    pools = [name for name in ("gevent", "eventlet") if options.get("pool") == name]
    root = posixpath.join(program.workdir, options.get("workdir") or "")
    return launch._replace(
        roots=(root,),
        modules=(_module_of_app(program, root, app), "celery", *pools),
        everything=True,
        workers=0 if single else int(count) if count and count.isdecimal() else None,
        finish=finish,
        doubts=tuple(doubts),
    )


def rq(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """A worker of RQ, which forks for each job; what it runs is found by name."""
    return launch._replace(modules=("rq",), everything=True, workers=1) if words[:1] == ("worker",) else None


def alembic(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """Alembic upgrades; its scripts are the project's."""
    return (
        launch._replace(modules=("alembic",), everything=True) if words[:1] in (("upgrade",), ("current",), ("stamp",)) else None
    )


def http_server(program: Program, launch: Launch, words: tuple[str, ...]) -> Launch | None:
    """`python -m http.server`."""
    options = Options(words, "cgi", {"-b": "--bind", "-d": "--directory", "-p": "--protocol"})
    if options.get("cgi") is not None:
        return None

    def finish(effects: Effects) -> None:
        effects.port(options.plain[0] if options.plain else "8000", program.at)

    return launch._replace(modules=("http.server",), finish=finish)


def env_file(program: Program, name: str) -> list[tuple[str, str]]:
    """The variables of a file such as `.env` in the working folder."""
    found = []
    for line in (program.files.text(posixpath.join(program.workdir, name)) or "").splitlines():
        key, equal, value = line.strip().removeprefix("export ").partition("=")
        if equal and not key.startswith("#"):
            found.append((key.strip(), value.strip().strip("'\"")))
    return found


def _more_than_one(workers: str | None) -> int | None:
    return max(int(workers) - 1, 0) if workers and workers.isdecimal() else None


#: By the name of the console script, or of the module behind `python -m`.
SERVERS: Mapping[str, Server] = {
    "gunicorn": gunicorn,
    "uvicorn": uvicorn,
    "hypercorn": hypercorn,
    "daphne": daphne,
    "waitress-serve": waitress,
    "waitress": waitress,
    "flask": flask,
    "fastapi": fastapi,
    "django-admin": django,
    "django": django,
    "celery": celery,
    "rq": rq,
    "alembic": alembic,
    "http.server": http_server,
}
