"""Which credentials and hosts a stack can reach, by the `.env` files beside its Compose file. Never says a value.

Only names and hosts are told: whoever reads them decides whether the stack may be run here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator

from hardener.errors import Unreadable
from hardener.facts.compose.interpolation import parse_env_file
from hardener.source import read

#: Words of a name that say that the value opens something.
_CREDENTIAL = re.compile(
    r"(?:^|[_-])(?:PASS(?:WORD|WD|PHRASE)?|PWD|SECRETS?|TOKENS?|(?:API|APP|AUTH|ACCESS|SECRET|PRIVATE)?KEYS?|DSN|CREDENTIALS?|AUTH)"
    r"(?:$|[_-])|PASSWORD|PASSWD|SECRET|APIKEY|TOKEN$"
)
#: Words of a name that say that the value is a host.
_HOST = re.compile(r"(?:^|_)(?:HOST|HOSTNAME|SERVER|ENDPOINT|ADDR|ADDRESS|BROKERS?)$")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
#: What an address with a scheme begins after.
_BETWEEN = re.compile(r"[\s,;]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_NUMBERS = re.compile(r"\[[0-9a-fA-F:.]+\]")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
#: Those of the container itself or of none.
_NOWHERE = frozenset("localhost 127.0.0.1 0.0.0.0 [::1] :: true false null none".split())


def env_hints(root: str, services: Collection[str] = ()) -> list[str]:
    """What the `.env` files in a folder let a stack reach, a line each: variables that look like credentials, and hosts.

    `services` are the names by which its own containers find each other: no hosts of others. A file that cannot be read is
    named as one.
    """
    hints = []
    own = {name.lower() for name in services}
    for name in sorted(os.listdir(root)):
        if not (name == ".env" or name.startswith(".env.") or name.endswith(".env")) or not os.path.isfile(
            os.path.join(root, name)
        ):
            continue
        try:
            variables = parse_env_file(read(os.path.join(root, name), name).text)
        except Unreadable as error:
            hints.append(f"{name}: cannot be read ({error.reason})")
            continue
        credentials = [variable for variable, value in variables.items() if value and _CREDENTIAL.search(variable.upper())]
        if credentials:
            hints.append(f"{name}: credentials by their names: {', '.join(sorted(credentials))}")
        hosts = {host for variable, value in variables.items() for host in _hosts(variable, value) if host.lower() not in own}
        if hosts:
            hints.append(f"{name}: hosts: {', '.join(sorted(hosts))}")
    return hints


def _hosts(variable: str, value: str) -> Iterator[str]:
    found: list[str] = []
    for address in _BETWEEN.split(value):
        scheme = _SCHEME.search(address)
        if scheme:
            # A password may hold any sign, also those that end a host: only what follows the last `@` is none of it.
            found += re.split(r"[/?#\s]", address[scheme.end() :].rpartition("@")[2], maxsplit=1)[0].split(",")
    if not found and "@" not in value and _HOST.search(variable.upper()):
        found = value.split(",")
    for each in found:
        host = re.sub(r":\d*$", "", each.strip())
        if (_NAME.fullmatch(host) or _NUMBERS.fullmatch(host)) and host.lower() not in _NOWHERE:
            yield host
