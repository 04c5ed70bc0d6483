"""Cron daemons: which jobs they have, by the crontabs of the image. Knows no container and no rule.

Read in the packages cron 3.0pl1-162 and cron-daemon-common of Debian 12, and in loginutils and miscutils/crond.c of BusyBox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hardener.finding import Evidence, Strength
from hardener.needs.source.options import parse
from hardener.needs.source.places import location, place, written
from hardener.needs.source.step_down import number_of, unprivileged
from hardener.needs.source.uses import (
    CAPABILITIES,
    WRITES,
    Capability,
    Doubt,
    Memory,
    Named,
    Program,
    Read,
    Uses,
    merged,
    unknown,
)
from hardener.record import NamedTuple
from hardener.syntax import shell

#: Crontabs whose lines name an account, and folders of those whose file is named after it.
_SYSTEM = ("/etc/crontab", "/etc/cron.d")
_SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron", "/etc/crontabs")
FOLDERS = (*_SYSTEM, *_SPOOLS)
#: Folders whose programs the crontab of Debian's package runs.
_PERIODIC = ("/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly")
_FIELD = r"[\w*/,~-]+"
_LINE = re.compile(rf"\s*(@\w+|{_FIELD}(?:[ \t]+{_FIELD}){{4}})[ \t]+(.+)")
_SETTING = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*)")
_ROOT = frozenset(("root", "0", ""))


class _Job(NamedTuple):
    account: str
    command: str
    at: str


def cron(program: Program, read: Read) -> Uses:
    """What a cron daemon does with the jobs that the project gives it; in doubt where no job is found."""
    evidence = Evidence(f"`{program.name}` runs jobs", program.at, Strength.READ)
    jobs, why = list(_jobs(program)), _unread(program)
    if not jobs and not why:
        why = f"which jobs `{program.name}` has"
    many = [_daemon(program, evidence)]
    many += _read(program, read, jobs)
    if why:
        many.append(unknown(why))
    if program.name == "cron" and not _replaced(program):
        doubt = Doubt(frozenset((CAPABILITIES, WRITES)), "what the jobs do that packages put into /etc/cron.daily and its kin")
        many.append(Uses(evidence, doubts=(doubt,), memory=Memory(0, "", evidence)))
    claims = ", ".join(dict.fromkeys(f"`{job.command}`" for job in jobs[:3]))
    weakest = min(uses.read.strength for uses in many)
    return merged(Evidence(f"the jobs {claims} were read", jobs[0].at if jobs else program.at, weakest), many, at_once=True)


def supercronic(program: Program, read: Read) -> Uses:
    """What supercronic does: it runs the jobs of one crontab as it is itself."""
    found = parse(program.words[1:], frozenset(("-prometheus-listen-address", "-sentry-dsn")))
    evidence = Evidence("`supercronic` runs jobs", program.at, Strength.READ)
    path = location(found.operands[-1], program) if found.operands else None
    text = program.files.text(path) if path else None
    if path is None or text is None:
        return unknown(f"which jobs `supercronic` has in {place(program)}")
    jobs = list(_parsed(text, program.files.origin(path) or path, ""))
    own = Uses(evidence, runs=(Named(program.name, evidence),), memory=Memory(64, "supercronic", evidence, 0))
    return merged(evidence, [own, *_read(program, read, jobs)], at_once=True)


def crontab(program: Program, read: Read) -> Uses:
    """What `crontab` does: it installs a file as an account's jobs, which are read with it."""
    found = parse(program.words[1:], frozenset(("-u", "-c")))
    evidence = Evidence("the command `crontab`", program.at, Strength.READ)
    own = Uses(evidence, runs=(Named("crontab", evidence),), memory=Memory(16, "crontab", evidence))
    if found.has("-l"):
        return own
    account = next(iter(found.values("-u")), "root")
    path = location(found.operands[0], program) if found.operands and found.operands[0] != "-" else None
    text = program.files.text(path) if path else None
    if path is None or text is None:
        return unknown(f"which jobs `crontab` installs in {place(program)}")
    # It writes in a folder of the group `crontab`, whose files are closed to others.
    why = Capability("DAC_OVERRIDE", "installs a crontab", evidence), Capability("CHOWN", "installs a crontab", evidence)
    jobs = list(_parsed(text, program.files.origin(path) or path, account))
    writes = written(program, ("/var/spool/cron/crontabs",), "installs jobs in")
    return merged(evidence, [own._replace(capabilities=why), writes, *_read(program, read, jobs)])


def _daemon(program: Program, evidence: Evidence) -> Uses:
    names = ["SETUID", "SETGID"]
    if program.name == "cron":
        names.append("AUDIT_WRITE")
    why = {"AUDIT_WRITE": "PAM writes to the audit log"}
    capabilities = tuple(Capability(name, why.get(name, "becomes the account of each job"), evidence) for name in names)
    memory = Memory(64, f"`{program.name}`", evidence, 0)
    own = Uses(evidence, capabilities=capabilities, runs=(Named(program.name, evidence),), memory=memory)
    return merged(evidence, (own, written(program, ("/run/crond.pid", "/run/crond.reboot", "/tmp"), "writes")))


def _read(program: Program, read: Read, jobs: Iterable[_Job]) -> Iterator[Uses]:
    for job in jobs:
        rooted = job.account in _ROOT
        home = "/root" if rooted and job.account else "/$HOME"
        environment = dict(program.environment) | {"HOME": home if rooted else None, "SHELL": None}
        words = ("sh", "-c", re.split(r"(?<!\\)%", job.command)[0])
        workdir = home if job.account else program.workdir
        uses = read(program._replace(words=words, workdir=workdir, environment=environment, at=job.at, arguments=()))
        if not rooted:
            evidence = Evidence(f"a job runs as {job.account}", job.at, Strength.READ)
            uses = unprivileged(uses)._replace(users=(*uses.users, Named(number_of(job.account, program), evidence)))
        yield uses


def _jobs(program: Program) -> Iterator[_Job]:
    files = program.files
    for path in files.walk("/etc"):
        if path == "/etc/crontab" or path.startswith("/etc/cron.d/"):
            # A file with a dot in its name is not read there.
            if path == "/etc/crontab" or "." not in path.rpartition("/")[2]:
                yield from _parsed(files.text(path) or "", files.origin(path) or path, None)
        elif path.startswith("/etc/crontabs/"):
            yield from _parsed(files.text(path) or "", files.origin(path) or path, path.rpartition("/")[2])
    for path in files.walk("/var/spool/cron"):
        yield from _parsed(files.text(path) or "", files.origin(path) or path, path.rpartition("/")[2])
    yield from (job for job, _ in _built(program) if job is not None)


def _built(program: Program) -> Iterator[tuple[_Job | None, str]]:
    """Jobs that the Dockerfile's RUN instructions write or install, or why they are not known."""
    stage = program.files.stage
    if stage is None:
        return
    runs = [(stage.at(item), script) for _, item in stage.items if item.keyword == "RUN" for script in stage.scripts_of(item)]
    for at, script in runs:
        if "cron" not in script.text:
            continue
        installs = [command for command in script.commands if command.name == "crontab" and "-l" not in command.arguments]
        targets = [r.target.text for command in script.commands for r in command.redirects if r.target.text.startswith(FOLDERS)]
        targets += [
            a
            for command in script.commands
            if command.name in ("tee", "cp", "mv")
            for a in command.arguments[-1:]
            if a.startswith(FOLDERS)
        ]
        for command in installs:
            path = location(command.arguments[-1], program._replace(workdir="/")) if command.arguments else None
            text = program.files.text(path) if path and command.arguments[-1] != "-" else None
            if path and text is not None:
                yield from ((job, "") for job in _parsed(text, program.files.origin(path) or path, "root"))
            else:
                targets.append("crontab -")
        if targets:
            system = all(target.startswith(_SYSTEM) for target in targets)
            jobs = [job for command in script.commands for job in _echoed(command, at, None if system else "root")]
            yield from ((job, "") for job in jobs)
            if not jobs:
                yield None, f"which jobs `{at}` writes"


def _echoed(command: shell.Command, at: str, account: str | None) -> Iterator[_Job]:
    if command.name in ("echo", "printf") and not any(word.expands for word in command.words[1:]):
        text = " ".join(word for word in command.arguments if not word.startswith("-"))
        yield from _parsed(text.replace("\\n", "\n"), at, account, numbered=False)


def _unread(program: Program) -> str:
    files = program.files
    paths = [path for folder in ("/etc", "/var/spool/cron") for path in files.walk(folder) if path.startswith(FOLDERS)]
    unread = next((path for path in paths if files.text(path) is None), "")
    return f"what {unread} says" if unread else next((why for _, why in _built(program) if why), "")


def _replaced(program: Program) -> bool:
    """Whether the jobs of packages are gone: removed by the Dockerfile, or with another /etc/crontab."""
    stage = program.files.stage
    removed = {argument for run in stage.commands if run.name == "rm" for argument in run.known} if stage is not None else set()
    return (
        program.files.text("/etc/crontab") is not None
        or "/etc/crontab" in removed
        or any(word.startswith("/etc/cron.*") for word in removed)
        or all(any(word.startswith(folder) for word in removed) for folder in _PERIODIC)
    )


def _parsed(text: str, label: str, account: str | None, numbered: bool = True) -> Iterator[_Job]:
    """The jobs of a crontab; without an account its lines name one."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or _SETTING.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        who, command = account, match[2].strip()
        if who is None:
            who, _, command = command.partition(" ") if " " in command else command.partition("\t")
        if command:
            yield _Job(who, command.strip(), f"{label}:{number}" if numbered else label)
