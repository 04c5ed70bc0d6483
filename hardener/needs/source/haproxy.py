"""HAProxy's configuration: what it listens on, whom it becomes and what it writes. Knows no package and no container.

What the keywords mean was read in haproxy/haproxy 50872daa6a857e82afc40b1c5161924aef4172d7: src/haproxy.c, src/sock_unix.c
and src/cfgparse-global.c.
"""

from __future__ import annotations

import posixpath
import re

from hardener.needs.source.options import parse
from hardener.needs.source.places import location
from hardener.needs.source.server import Configured, Server, text_of
from hardener.needs.source.uses import EVERYTHING, PORTS, Doubt, Program

_VALUED = frozenset("-f -p -n -N -m -C -D -L -S -sf -st -x -G -dt".split())
_VARIABLE = re.compile(r"\"?\$\{?(\w+)\}?\"?")
_SECTIONS = frozenset("global defaults frontend backend listen peers resolvers userlist mailers cache ring program".split())
#: Keywords that run programs or code.
_CODE = frozenset(("lua-load", "lua-load-per-thread", "external-check", "command", "program", "insecure-fork-wanted"))


def configured(program: Program, server: Server) -> Configured:
    """What HAProxy does, by its options and its configuration."""
    options = parse(program.words[1:], _VALUED)
    asked = [path for word in options.values("-f") if (path := location(word, program)) is not None]
    files: list[str] = []
    for path in asked or [server.facts["config"]]:
        files += sorted(program.files.walk(path)) if program.files.kind(path) == "folder" else [path]
    paths: list[str] = [*options.values("-p")]
    ports: list[tuple[int, str]] = []
    doubts: list[Doubt] = []
    capabilities: list[tuple[str, str]] = []
    account, at = "", program.at
    master = options.has("-W", "-Ws")
    for path in files:
        found = text_of(program, path)
        if found is None and (path != server.facts["config"] or "chroot" not in server.facts):
            doubts.append(Doubt(EVERYTHING, f"what {path} says, which could not be read"))
        elif found is None:
            account = server.facts["account"]
            paths.append(server.facts["socket"])
            capabilities.append(("SYS_CHROOT", f"shuts itself into {server.facts['chroot']}"))
        if found is None:
            continue
        text, at = found
        for line in text.splitlines():
            words = _words(line, program)
            name, first = words[0] if words else "", words[1] if len(words) > 1 else ""
            if name in ("user", "uid", "group", "gid") and first and not line[0].isalpha():
                account = first if name in ("user", "uid") else account or first
            elif name == "chroot":
                capabilities.append(("SYS_CHROOT", f"shuts itself into {first}"))
            elif name in ("pidfile", "server-state-file", "server-state-base"):
                paths.append(first)
            elif name == "stats" and first == "socket" and len(words) > 2:
                capabilities += _socket(words[2], words, paths, ports)
            elif name == "bind":
                capabilities += _bind(first, words, paths, ports, doubts, at)
            elif name in _CODE and name not in _SECTIONS - {"program"}:
                doubts.append(Doubt(EVERYTHING, f"what `{name} {first}` of {at} runs"))
            elif name == "master-worker":
                master = True
    if master and account:
        capabilities.append(("KILL", "ends workers that run as another account"))
    kept = tuple(dict.fromkeys(path for path in paths if path))
    return Configured(at, kept, tuple(ports), account, tuple(dict.fromkeys(capabilities)), tuple(doubts))


def _words(line: str, program: Program) -> list[str]:
    line = re.split(r"(?<!\\)#", line)[0]

    def value(match: re.Match[str]) -> str:
        found = program.variable(match[1])
        return match[0] if found is None else found

    return [word.strip("\"'") for word in _VARIABLE.sub(value, line).split()]


def _bind(
    first: str, words: list[str], paths: list[str], ports: list[tuple[int, str]], doubts: list[Doubt], at: str
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for address in first.split(","):
        if address.startswith(("/", "unix@", "abns@", "uxst@")):
            found += _socket(address, words, paths, ports)
            continue
        low, _, high = address.rpartition(":")[2].partition("-")
        protocol = "udp" if address.startswith("quic") else "tcp"
        if low.isdecimal() and len(low) < 6:
            last = int(high) if high.isdecimal() and len(high) < 6 else int(low)
            ports += [(number, protocol) for number in range(int(low), min(last, int(low) + 1000) + 1)]
        else:
            doubts.append(Doubt(frozenset((PORTS,)), f"which port `bind {address}` of {at} is"))
    return found


def _socket(address: str, words: list[str], paths: list[str], ports: list[tuple[int, str]]) -> list[tuple[str, str]]:
    kind, at, rest = address.rpartition("@")
    if at and kind.startswith("abns"):
        return []
    if not rest.startswith("/"):
        port = rest.rpartition(":")[2]
        ports += [(int(port), "tcp")] if port.isdecimal() and len(port) < 6 else []
        return []
    # It is made beside itself, and renamed.
    paths += [rest, posixpath.dirname(rest)]
    return [("CHOWN", f"gives {rest} away")] if {"user", "uid", "group", "gid"}.intersection(words) else []
