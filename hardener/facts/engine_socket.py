"""Where container engines are talked to: the names of their sockets, and the folders that hold these. Reads no disk."""

from __future__ import annotations

import posixpath

#: The names of the sockets of engines, of what they are made of, and Windows' pipe.
SOCKETS = frozenset(
    "docker.sock podman.sock containerd.sock crio.sock cri-dockerd.sock dockershim.sock buildkitd.sock docker_engine".split()
)
#: Folders that engines keep their sockets in.
_FOLDERS = frozenset("/run /var/run /run/docker /run/podman /run/containerd /run/crio /run/user".split())


def is_engine_socket(path: str) -> bool:
    """Whether a path of the host is the socket of a container engine, or a folder that such sockets are kept in."""
    path = posixpath.normpath(path.replace("\\", "/"))
    folder = path.replace("/var/run", "/run", 1) if path.startswith("/var/run/") else path
    parent, _, name = folder.rpartition("/")
    return name in SOCKETS or folder in _FOLDERS or parent == "/run/user" or folder.startswith("/run/docker/")


def holds_engine_socket(source: str, target: str) -> bool:
    """Whether what is mounted from `source` at `target` gives a way to an engine: its socket, or a folder around it.

    All of the host's `/` counts, with what is mounted below it. A socket that is called otherwise is told by its target.
    """
    target = posixpath.normpath(target.replace("\\", "/"))
    return source == "/" or (bool(source) and is_engine_socket(source)) or target.rpartition("/")[2] in SOCKETS
