"""The container's root file system can be written.

Attack: Whoever breaks into the program replaces a binary, drops a web shell beside the application, or changes the
configuration that the next start reads. They are then still there after the hole is closed and the process started anew.

What may break: A program that writes elsewhere than on its volumes and on what is mounted for it fails (`Read-only file
system`), at its start or only when it comes to it: an upload, a cache, a template that becomes a configuration. A tmpfs
hides what the image has at that path, forgets all when the container stops, and counts against the memory limit. Compose
refuses `cp` into such a container.

What we do: The repair makes the root read-only and mounts a tmpfs at each path that the workload is known to write and that
is no volume: sockets, pid files, caches, temporary files. Each carries the numeric owner that writes there, because the
mode of a tmpfs does not survive a restart on every engine. A pod's is an `emptyDir`, which everybody in it may write. Data
never goes to a tmpfs: where data would be written to the root, nothing is changed. Where a page or a script of the project
copies files into the service, the repair is held back; so it is where one runs it by Podman and a tmpfs needs an owner, which
Podman does not know.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container, Tmpfs
from hardener.finding import Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs
from hardener.needs.needs import Tmpfs as NeededTmpfs

ID = "writable-root-filesystem"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container whose root is not read-only."""
    setting = container.read_only_root
    if setting.effective:
        return
    verdict = needs.read_only
    fix, advice = None, ""
    if verdict is not None and verdict.works:
        switched_off = "somebody wrote that it is writable" if setting.written else ""
        paths = ", ".join(mount.path for mount in needs.tmpfs)
        owned = container.platform.owned_tmpfs
        new = tuple(Tmpfs(mount.path, _options(mount, owned), mount.why) for mount in needs.tmpfs)
        fix = Fix(
            f"make it read-only, with {container.platform.tmpfs} at {paths}" if paths else "make it read-only",
            wants=(Want(setting, True), Want(container.tmpfs, (*container.tmpfs.effective, *new))),
            evidence=tuple(dict.fromkeys((verdict.evidence, *(mount.evidence for mount in needs.tmpfs)))),
            missing=needs.missing("read_only") or verdict.doubt or switched_off,
        )
    else:
        advice = f"see first to what keeps it from being read-only: {verdict.why}" if verdict else "find out what it writes"
    message = "the root file system can be written"
    yield Finding(ID, container.subject, setting.place, message, fix, advice=advice, key=container.key)


def _options(mount: NeededTmpfs, owned: bool) -> str:
    options = ["exec"] if mount.exec else []
    if owned and (mount.uid, mount.gid) != (0, 0):  # root is the engine's default
        options += [f"uid={mount.uid}", f"gid={mount.gid}"]
    return ",".join(options)


RULE = Rule(
    id=ID,
    title="The root file system can be written",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 5.13", "NSA/CISA Kubernetes 1.1", "OWASP Docker 8"),
    container=check,
    why="an attacker who can write can replace programs and stay",
)
