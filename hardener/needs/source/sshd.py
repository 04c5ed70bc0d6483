"""sshd: what it needs, and what those who log in may do. Knows no container and no rule.

Read in openssh/openssh-portable 0ef0f5a839831c213f24e3f2ae434765c607fb50: sshd-auth.c, sshd-session.c, session.c, sshpty.c,
uidswap.c, servconf.c and pathnames.h; and in the package openssh-server 1:9.2p1-2+deb12u10 of Debian 12.
"""

from __future__ import annotations

import re

from hardener.finding import Evidence, Strength
from hardener.needs.source.options import parse
from hardener.needs.source.places import place, written
from hardener.needs.source.uses import (
    CAPABILITIES,
    ESCALATION,
    MEMORY,
    THREADS,
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
    merged,
)

_VALUED = frozenset("-C -c -E -f -g -h -o -p -u -b -k".split())
_CAPABILITIES = {
    "SYS_CHROOT": "shuts what is not logged in yet into an empty folder",
    "SETUID": "becomes who logs in",
    "SETGID": "becomes who logs in",
    "CHOWN": "gives terminals to who logs in",
    "FOWNER": "changes the mode of terminals",
    "KILL": "ends what runs as who logged in",
    "AUDIT_WRITE": "PAM writes to the audit log",
}
_SETTING = re.compile(r"\s*([A-Za-z]\w*)[ \t=]+(.*?)\s*$")


def sshd(program: Program, read: Read) -> Uses:
    """What sshd does by its configuration; where that is not the project's, by what Debian configures."""
    options = parse(program.words[1:], _VALUED)
    path = next(iter(options.values("-f")), "/etc/ssh/sshd_config")
    text = program.files.text(path) or ""
    evidence = Evidence("`sshd` as its configuration says", program.files.origin(path) or program.at, Strength.READ)
    # The first value counts, options before the file.
    before_match = re.split(r"(?im)^\s*match\s", text)[0]
    lines = [*options.values("-o"), *before_match.splitlines()]
    settings: dict[str, str] = {}
    ports: list[str] = list(options.values("-p"))
    for line in lines:
        match = _SETTING.match(line)
        if match:
            settings.setdefault(match[1].lower(), match[2])
            if match[1].lower() == "port" and not options.values("-p"):
                ports.append(match[2])
    numbers = [int(port) for port in ports or ["22"] if port.isdecimal() and len(port) < 6]
    pid = settings.get("pidfile", "/run/sshd.pid")
    paths = [
        "/run/sshd",
        *(() if pid.lower() == "none" else (pid,)),
        "/var/log/wtmp",
        "/var/log/btmp",
        "/var/log/lastlog",
        "/run/utmp",
    ]
    if settings.get("usepam", "yes").lower() == "yes":
        paths.append("/run/motd.dynamic")
    forced = settings.get("forcecommand", "").startswith("internal-sftp") and bool(text)
    doubts: tuple[Doubt, ...] = ()
    if forced:
        paths.append("/home")
    else:
        about = {WRITES, ESCALATION, MEMORY, THREADS, USERS}
        if settings.get("permitrootlogin", "").lower() != "no":
            about.add(CAPABILITIES)
        doubts = (Doubt(frozenset(about), f"what those do who log in at the sshd of {place(program)}"),)
    own = Uses(
        evidence,
        listens=tuple(Listen(number, "tcp", evidence) for number in numbers),
        capabilities=tuple(Capability(name, why, evidence) for name, why in _CAPABILITIES.items()),
        runs=(Named("sshd", evidence),),
        users=(Named("sshd", evidence),),
        memory=Memory(256, "sshd with a few sessions", evidence, 0) if forced else None,
        doubts=doubts,
    )
    wrote = written(program._replace(at=evidence.source), paths, "writes")
    # sshd.c: the folder must be root's, and nobody else may write it.
    writes = (write._replace(refused_by="sshd") if write.path == "/run/sshd" else write for write in wrote.writes)
    return merged(evidence, (own, wrote._replace(writes=tuple(writes))))
