"""supervisord: which programs its configuration starts, and as whom. Knows no container and no rule.

Read in the package supervisor 4.2.5-1 of Debian 12: supervisor/options.py, process.py and /etc/supervisor/supervisord.conf.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from hardener.finding import Evidence, Strength
from hardener.needs.source.options import parse
from hardener.needs.source.places import location, place, written
from hardener.needs.source.step_down import number_of, unprivileged
from hardener.needs.source.uses import Capability, Listen, Memory, Named, Program, Read, Uses, merged, unknown

FOLDERS = ("/etc/supervisor", "/etc/supervisord.conf", "/etc/supervisord")
_SEARCHED = ("supervisord.conf", "etc/supervisord.conf", "/etc/supervisord.conf", "/etc/supervisor/supervisord.conf")
_VALUED = frozenset(
    "-c -u -m -d -l -y -z -e -j -i -q -a --configuration --user --umask --directory --logfile --logfile_maxbytes "
    "--logfile_backups --loglevel --pidfile --identifier --childlogdir --minfds --minprocs".split()
)
#: What Debian's package configures where the project does not.
_DEBIAN: Mapping[str, Mapping[str, str]] = {
    "supervisord": {
        "logfile": "/var/log/supervisor/supervisord.log",
        "pidfile": "/var/run/supervisord.pid",
        "childlogdir": "/var/log/supervisor",
    },
    "unix_http_server": {"file": "/var/run/supervisor.sock"},
    "include": {"files": "/etc/supervisor/conf.d/*.conf"},
}
_ROOT = frozenset(("root", "0", ""))
_EXPANSION = re.compile(r"%\((\w+)\)(?:[0-9]*[sd])|%%")
_NOWHERE = frozenset(("NONE", "none", "syslog", "/dev/stdout", "/dev/stderr", "/dev/null", "/proc/self/fd/1", "/proc/self/fd/2"))

_Sections = dict[str, Mapping[str, str]]


def supervisord(program: Program, read: Read) -> Uses:
    """What supervisord does, and the programs that its configuration starts."""
    options = parse(program.words[1:], _VALUED)
    evidence = Evidence("`supervisord` starts programs", program.at, Strength.READ)
    asked = next(iter(options.values("-c", "--configuration")), "")
    paths = [location(word, program) for word in ((asked,) if asked else _SEARCHED)]
    path = next((path for path in paths if path and program.files.text(path) is not None), None)
    stage = program.files.stage
    sections: _Sections | None
    if path is not None:
        sections = _sections(program.files.text(path) or "")
    elif stage is not None and "supervisor" in stage.packages and (not asked or asked.startswith("/etc/supervisor/")):
        path, sections = "/etc/supervisor/supervisord.conf", dict(_DEBIAN)
    else:
        return unknown(f"what the configuration of `supervisord` says in {place(program)}, which could not be read")
    if sections is None:
        return unknown(f"what {path} says, which could not be read")
    label = program.files.origin(path) or path
    doubts: list[Uses] = []
    labels = dict.fromkeys(sections, label)
    for file in _included(sections, path, program):
        more = _sections(program.files.text(file) or "")
        if more is None:
            doubts.append(unknown(f"what {file} says, which could not be read"))
        for name, section in (more or {}).items():
            sections.setdefault(name, section)
            labels.setdefault(name, program.files.origin(file) or file)
    many = [_own(program, evidence, sections, options.values("-l", "--logfile"), options.values("-j", "--pidfile")), *doubts]
    as_user = sections.get("supervisord", {}).get("user", "")
    programs = [name for name in sections if name.startswith(("program:", "eventlistener:", "fcgi-program:"))]
    for name in programs:
        here = program._replace(at=f"{labels[name]}", arguments=())
        many.append(_program(here, read, name.partition(":")[2], sections[name], posixpath.dirname(path), as_user))
    if not programs:
        many.append(unknown(f"which programs {label} starts"))
    claims = ", ".join(name.partition(":")[2] for name in programs[:6])
    weakest = min(uses.read.strength for uses in many)
    return merged(Evidence(f"supervisord starts {claims}", label, weakest), many, at_once=True)


def _sections(text: str) -> _Sections | None:
    import configparser

    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"), allow_no_value=True)
    try:
        parser.read_string(text)
        return {name: {key: value or "" for key, value in parser.items(name)} for name in parser.sections()}
    except configparser.Error:
        return None


def _included(sections: _Sections, path: str, program: Program) -> Iterator[str]:
    for word in sections.get("include", {}).get("files", "").split():
        pattern = posixpath.normpath(posixpath.join(posixpath.dirname(path), word.replace("%(here)s", posixpath.dirname(path))))
        folder = location(pattern, program) or "/"
        yield from (file for file in program.files.walk(folder) if fnmatchcase(file, pattern))


def _own(program: Program, evidence: Evidence, sections: _Sections, logs: tuple[str, ...], pids: tuple[str, ...]) -> Uses:
    main = sections.get("supervisord", {})
    paths = [*logs[-1:], *pids[-1:]]
    if not logs:
        paths.append(main.get("logfile", "supervisord.log"))
    if not pids:
        paths.append(main.get("pidfile", "supervisord.pid"))
    socket = sections.get("unix_http_server", {}).get("file", "")
    # The socket is made beside itself and renamed.
    paths += [socket, socket and posixpath.dirname(socket) + "/"]
    paths = [_expanded(path, program, "") for path in paths if path and path not in _NOWHERE]
    if any(_auto(section) for name, section in sections.items() if name.startswith(("program:", "eventlistener:"))):
        paths.append(main.get("childlogdir", "") or program.environment.get("TMPDIR") or "/tmp")
    names = ["CHOWN"] if sections.get("unix_http_server", {}).get("chown") else []
    listens: tuple[Listen, ...] = ()
    port = sections.get("inet_http_server", {}).get("port", "").rpartition(":")[2]
    if port.isdecimal():
        listens = (Listen(int(port), "tcp", evidence),)
    own = Uses(
        evidence,
        listens=listens,
        capabilities=tuple(Capability(name, "gives its socket away", evidence) for name in names),
        runs=(Named("supervisord", evidence),),
        memory=Memory(64, "supervisord", evidence),
    )
    user = main.get("user", "")
    users = [_became(user, program, evidence)] if user not in _ROOT else []
    return merged(evidence, (own, written(program, paths, "writes"), *users))


def _auto(section: Mapping[str, str]) -> bool:
    redirects = section.get("redirect_stderr", "").lower() in ("true", "1", "yes", "on")
    keys = ("stdout_logfile",) if redirects else ("stdout_logfile", "stderr_logfile")
    return any(section.get(key, "AUTO") == "AUTO" for key in keys)


def _program(program: Program, read: Read, name: str, section: Mapping[str, str], here: str, as_user: str) -> Uses:
    evidence = Evidence(f"supervisord starts {name}", program.at, Strength.READ)
    environment = dict(program.environment)
    for key, value in re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|[^,]*)", section.get("environment", "")):
        expanded = _expanded(value.strip("\"'"), program, name)
        environment[key] = None if "$" in expanded else expanded
    workdir = _expanded(section.get("directory", ""), program, name) or program.workdir
    workdir = workdir if workdir.startswith("/") else "/$PWD"
    try:
        words = tuple(shlex.split(_expanded(section.get("command", ""), program, name, here)))
    except ValueError:
        words = ()
    if not words:
        return unknown(f"what the program {name} of {program.at} is")
    uses = read(program._replace(words=words, environment=environment, workdir=workdir))
    user = section.get("user", "")
    if user not in _ROOT:
        # The copies of a program that becomes another account are stopped by root.
        uses = merged(uses.read, (unprivileged(uses), _became(user, program, evidence)))
    elif as_user not in _ROOT:
        uses = unprivileged(uses)
    logs = [section.get(key, "") for key in ("stdout_logfile", "stderr_logfile")]
    paths = [_expanded(log, program, name) for log in logs if log and log not in _NOWHERE and log != "AUTO"]
    copies = section.get("numprocs", "1")
    many = [uses, written(program, paths, "writes")]
    memory = uses.memory
    if memory is not None:
        memory = (
            memory._replace(mib=memory.mib * int(copies), cores=memory.cores * int(copies))
            if copies.isdecimal() and len(copies) < 4
            else None
        )
    return merged(uses.read, many)._replace(memory=memory)


def _became(user: str, program: Program, evidence: Evidence) -> Uses:
    names = {"SETUID": f"becomes {user}", "SETGID": f"becomes {user}", "KILL": f"stops programs that run as {user}"}
    return Uses(
        evidence,
        capabilities=tuple(Capability(name, why, evidence) for name, why in names.items()),
        users=(Named(number_of(user, program), evidence),),
        memory=Memory(0, "", evidence),
    )


def _expanded(text: str, program: Program, name: str, here: str = "") -> str:
    """A value with `%(ENV_X)s` and its kin put in; `$X` stands for what is not known."""

    def one(match: re.Match[str]) -> str:
        key = match[1]
        if not key:
            return "%"
        if key.startswith("ENV_"):
            value = program.variable(key[4:])
            return f"${key[4:]}" if value is None else value
        return {"program_name": name, "group_name": name, "here": here}.get(key) or f"${key}"

    return _EXPANSION.sub(one, text)
