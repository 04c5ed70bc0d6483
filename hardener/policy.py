"""What people decided for their repository, as values: what is let be, amounts, names. Knows neither file nor rule.

`hardener.config` reads it from files; whoever calls harden as a library may make one. Each item says where it was decided, so
that a report can name that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.finding import Severity
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from datetime import date


class Waiver(NamedTuple):
    """Findings that are let be: those that match everything that is said here. What is empty matches all."""

    reason: str
    #: Where it was decided, such as `hardener.toml:12`.
    source: str
    rules: tuple[str, ...] = ()
    #: Patterns as in .gitignore, from the folder of the file that says so.
    paths: tuple[str, ...] = ()
    #: Patterns of names of services, containers and stages, with `*`, `?` and `[...]`.
    services: tuple[str, ...] = ()
    #: Patterns of images as they are written, such as `registry.example.com/*` or `postgres:*`.
    images: tuple[str, ...] = ()
    #: Those of this severity and below; None for all.
    severity: Severity | None = None
    #: The last day on which it holds; None for ever.
    until: date | None = None


class Amounts(NamedTuple):
    """Limits that people decided for some containers: MiB of memory, cores, processes. None leaves an amount to what is known.

    The first that is about a container says each amount. It is about those of the `images` and those of the `services`, in
    patterns as in `Waiver`; without either, about all.
    """

    source: str
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    images: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    #: What people call this kind of container, such as "database"; empty where it is about one image, or all.
    name: str = ""


class Policy(NamedTuple):
    """All that was decided. Empty, it is what harden does by itself."""

    waivers: tuple[Waiver, ...] = ()
    #: The most particular first.
    limits: tuple[Amounts, ...] = ()
    #: Whether users are written by the names that the image has for them, not by their numbers, where names serve.
    named_users: bool = False
    #: The image that is advised as a socket proxy; empty for the usual one.
    socket_proxy: str = ""
    #: Folders with profiles of one's own images, before those of harden.
    profiles: tuple[str, ...] = ()
    #: Hazards below this severity are not looked for.
    least_severity: Severity = Severity.LOW
    #: The folder that patterns of paths start from; empty for the one that harden runs in.
    folder: str = ""


#: Where nobody decided anything.
UNDECIDED = Policy()
