"""What runs on an engine proved of one service: the values that it worked with, and what it failed with. Knows no file."""

from __future__ import annotations

from collections.abc import Mapping

from hardener.record import NamedTuple


class Proven(NamedTuple):
    """The values that a service worked with; None and empty mean that nothing was tried that differs from what was read."""

    #: Whom it was started as, `uid:gid`; empty for whom it is started as anyway.
    user: str = ""
    #: Beside a dropped ALL, by name, each with the reason that a person reads (empty for none).
    capabilities: Mapping[str, str] | None = None
    read_only: bool | None = None
    #: With a read-only root: by path `uid:gid`, or `uid:gid,exec` where programs are started from it.
    tmpfs: Mapping[str, str] = {}
    no_new_privileges: bool | None = None
    #: MiB, cores, and processes with their threads.
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    #: Fixes that it failed with: by the rule's id, what was seen.
    failed: Mapping[str, str] = {}
