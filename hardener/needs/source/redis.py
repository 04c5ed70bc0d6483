"""Redis's configuration: what it listens on and what it writes. Knows no package and no container.

What the settings mean was read in redis/redis 4f8cdc2a1ea53e42955af758aabffee67cb455dd: src/config.c and src/server.c, which
changes no account; the amount that it holds in memory is not known.
"""

from __future__ import annotations

import posixpath

from hardener.needs.source.places import location
from hardener.needs.source.server import Configured, Server, text_of
from hardener.needs.source.uses import EVERYTHING, Doubt, Program


def configured(program: Program, server: Server) -> Configured:
    """What a Redis server does, by its file and by its options, which count more."""
    words = list(program.words[1:])
    settings: dict[str, list[str]] = {}
    doubts: list[Doubt] = []
    at = program.at
    if words and not words[0].startswith("-"):
        path = location(words.pop(0), program)
        found = text_of(program, path) if path else None
        if found is None and path is not None and path in server.words("own"):
            return Configured(at, server.words("foreign"), ((6379, "tcp"),))
        if found is None:
            doubts.append(Doubt(EVERYTHING, f"what {path} says, which `redis-server` reads"))
        else:
            at = found[1]
            for line in found[0].splitlines():
                name, *values = line.split()[:8] or [""]
                if name and not name.startswith("#"):
                    settings[name.lower()] = [value.strip("\"'") for value in values]
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word[2:].lower()
            settings[name] = []
        elif name:
            settings[name].append(word)
    first = {name: values[0] if values else "" for name, values in settings.items()}
    folder = posixpath.join(program.workdir, first.get("dir", ""))
    paths = [posixpath.join(folder, value) for key in ("logfile", "pidfile", "unixsocket") if (value := first.get(key, ""))]
    if first.get("daemonize", "no") == "yes" and "pidfile" not in first:
        paths.append("/var/run/redis.pid")
    if first.get("save", "3600") not in ("", '""', "''") or first.get("appendonly", "no") != "no":
        # Snapshots and logs are written beside themselves, and renamed.
        paths.append(folder)
    if first.get("aclfile"):
        paths.append(first["aclfile"])
    code = [key for key in ("loadmodule", "include") if key in first]
    doubts += [Doubt(EVERYTHING, f"what `{key} {first[key]}` of {at} does") for key in code]
    port = first.get("port", "6379")
    ports = [(int(port), "tcp")] if port.isdecimal() and 0 < int(port) < 65536 else []
    return Configured(at, tuple(paths), tuple(ports), "", (), tuple(doubts))
