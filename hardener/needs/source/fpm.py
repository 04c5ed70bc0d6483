"""PHP-FPM's configuration: what it listens on, whom its workers become and what it writes. Knows no PHP code.

What the settings mean was read in Debian's php-fpm.conf and pool.d/www.conf of php8.2-fpm 8.2.36-1~deb12u1, which explain them.
"""

from __future__ import annotations

import posixpath
import re

from hardener.needs.source.options import parse
from hardener.needs.source.server import Configured, Server, matching, text_of
from hardener.needs.source.uses import ESCALATION, EVERYTHING, MEMORY, THREADS, WRITES, Doubt, Program

_SETTING = re.compile(r"^[ \t]*([a-z][\w.]*(?:\[[^\]\n]*\])?)[ \t]*=[ \t]*\"?([^\n;\"]*)", re.MULTILINE)
_LOGS = frozenset(("error_log", "access.log", "slowlog", "php_admin_value[error_log]", "php_value[error_log]"))


def configured(program: Program, server: Server) -> Configured:
    """What PHP-FPM does; the code that it runs, as another account, is in doubt."""
    options = parse(program.words[1:], frozenset(("-c", "-d", "-g", "-p", "-y", "--fpm-config", "--pid", "--prefix")))
    account, ports = server.facts["account"], [(port, "tcp") for port in server.facts["listens"]]
    paths = [*options.values("-g", "--pid"), server.facts["pid"], server.facts["socket"], *server.words("logs")]
    capabilities = [("KILL", "ends workers that run as another account")]
    if server.facts["socket"]:
        capabilities.append(("CHOWN", f"gives its socket to {account}"))
    doubts = [Doubt(frozenset((WRITES, ESCALATION, MEMORY, THREADS)), "what the PHP code does that PHP-FPM runs")]
    at = program.at
    for path in [*options.values("-y", "--fpm-config"), *matching(program, (server.facts["config"], *server.words("includes")))]:
        found = text_of(program, path)
        if found is None:
            doubts.append(Doubt(EVERYTHING, f"what {path} says, which could not be read"))
            continue
        text, at = found
        for name, value in _SETTING.findall(text):
            value = value.strip()
            if name == "user":
                account = value
            elif name == "listen":
                port = value.rpartition(":")[2]
                if port.isdecimal() and len(port) < 6:
                    ports.append((int(port), "tcp"))
                elif value.startswith("/"):
                    paths.append(value)
            elif name in ("pid", *_LOGS):
                paths.append(posixpath.join(server.facts["prefix"], "var", value) if not value.startswith("/") else value)
            elif name in ("listen.owner", "listen.group", "listen.mode"):
                capabilities.append(("CHOWN", "gives its socket away"))
            elif name == "chroot":
                capabilities.append(("SYS_CHROOT", f"shuts workers into {value}"))
            elif name == "include" and not value.startswith(("etc/", "/etc/php", "/usr/local/etc")):
                doubts.append(Doubt(EVERYTHING, f"what {value} says, which PHP-FPM includes in {at}"))
    return Configured(
        at, tuple(p for p in dict.fromkeys(paths) if p), tuple(ports), account, tuple(dict.fromkeys(capabilities)), tuple(doubts)
    )
