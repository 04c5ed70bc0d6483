"""Users, groups and packages that shell commands create or install. Knows no Dockerfile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hardener.record import NamedTuple

#: Options with a value, of useradd and of both kinds of adduser.
_VALUED_SHORT = frozenset("uGgdschkKpbefRZPG")
_VALUED_LONG = frozenset(
    "uid gid groups home home-dir shell comment password skel key base-dir expiredate inactive root selinux-user prefix "
    "ingroup gecos firstuid lastuid firstgid lastgid conf".split()
)
_USERS = frozenset(("useradd", "adduser"))
_GROUPS = frozenset(("groupadd", "addgroup"))
_INSTALLERS = {
    "apt-get": ("install",),
    "apt": ("install",),
    "aptitude": ("install",),
    "apk": ("add",),
    "yum": ("install", "localinstall", "groupinstall"),
    "dnf": ("install",),
    "microdnf": ("install",),
    "tdnf": ("install",),
    "zypper": ("install", "in"),
    "pacman": ("-S", "-Sy", "-Syu", "-Sy --noconfirm"),
}


class NewUser(NamedTuple):
    """A user or group that a command creates; None stands for numbers that it does not give."""

    name: str
    uid: int | None
    #: The primary group as it is given: a name, a number, or empty.
    group: str
    is_group: bool = False


def created(name: str, arguments: Sequence[str]) -> NewUser | None:
    """The user or group that a command creates, or None."""
    if name not in _USERS and name not in _GROUPS:
        return None
    options, plain = _options(arguments, name in _GROUPS)
    if len(plain) != 1 or not plain[0]:
        return None  # `adduser user group` adds one to the other
    if name in _GROUPS:
        return NewUser(plain[0], _number(options.get("g") or options.get("gid")), "", is_group=True)
    # BusyBox takes -g for the comment, useradd for the group: a comment is no group's name, and hardly ever given.
    group = options.get("ingroup") or options.get("G" if name == "adduser" else "g") or options.get("gid") or ""
    return NewUser(plain[0], _number(options.get("u") or options.get("uid")), group)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 11 else None


def _options(arguments: Sequence[str], group: bool) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    plain: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word.startswith("--"):
            option, equals, value = word[2:].partition("=")
            if option in _VALUED_LONG and not equals:
                value = next(rest, "")
            options[option] = value
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                if letter in ("gK" if group else _VALUED_SHORT):
                    options[letter] = word[at:] or next(rest, "")
                    break
                options[letter] = ""
        else:
            plain.append(word)
    return options, plain


def installed(name: str, arguments: Sequence[str]) -> Iterable[str]:
    """The packages that a command installs, without their versions."""
    verbs = _INSTALLERS.get(name)
    if verbs is None or not any(verb in arguments for verb in verbs):
        return
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in ("-t", "--virtual", "-o", "-c", "--repository", "-X"):
            skip = True
        elif not word.startswith("-") and word not in verbs:
            package = word.partition("=")[0].partition("~")[0].partition(":")[0]
            if package:
                yield package
