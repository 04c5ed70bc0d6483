"""The mounts and volumes of a Compose model, with nothing of the user's behind them. Knows no other part of it.

A bind from the copy stays, an engine's socket is the caller's question, some of the machine is shown read-only, and of all
else an empty file or folder takes the place. Volumes are the trial's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hardener.facts.engine_socket import is_engine_socket
from hardener.trial.host import in_copy, is_harmless_device, is_shown
from hardener.trial.notes import Notes

#: Mounts that are made inside reach the machine, or the other way round.
_PROPAGATED = frozenset(("shared", "rshared", "slave", "rslave"))


def top_volumes(volumes: Mapping[str, dict[str, Any]], notes: Notes) -> None:
    """Make every volume of the project an own one that starts empty, or a folder of the copy. Changes it in place."""
    for key, volume in volumes.items():
        driver = volume.get("driver") or "local"
        options = volume.get("driver_opts") or {}
        own: dict[str, Any] = {"labels": volume.get("labels") or {}}
        if volume.get("external"):
            notes.leave("", f"the data in the volume {volume.get('name') or key} of other projects: an empty one stands in")
            own = {}
        elif driver != "local":
            notes.leave("", f"the driver {driver} of the volume {key}: an empty one of this machine stands in")
        elif options:
            device = str(options.get("device") or "")
            inside = in_copy(device, notes.names) if device.startswith("/") else None
            if options.get("type") == "tmpfs" and "bind" not in str(options.get("o") or ""):
                own["driver_opts"] = options
            elif inside is not None and "bind" in str(options.get("o") or "").split(","):
                own["driver_opts"] = {**options, "device": inside}
            else:
                notes.leave("", f"what is behind the volume {key}{f' ({device})' if device else ''}: an empty one stands in")
        volume.clear()
        volume.update(own)


def service_mounts(
    service: str, one: dict[str, Any], images: Mapping[str, str], containers: Mapping[str, str], notes: Notes
) -> None:
    """Change a service's mounts in place.

    `images` gives our name for an image that is built here, `containers` the service for a container name.
    """
    if "volumes" in one:
        made = (_mount(service, dict(mount), images, notes) for mount in one["volumes"])
        one["volumes"] = [mount for mount in made if mount is not None]
    if one.get("use_api_socket"):
        notes.sockets.append((service, "use_api_socket"))
        if not notes.allow_socket:
            notes.leave(service, "the engine's socket")
            del one["use_api_socket"]
    others = one.pop("volumes_from", None) or []
    kept = []
    for other in others:
        kind, _, rest = str(other).partition(":")
        name, _, mode = rest.partition(":")
        if kind != "container":
            kept.append(other)
        elif name in containers:
            kept.append(f"{containers[name]}:{mode}" if mode else containers[name])
        else:
            notes.leave(service, f"the volumes of the container {name}")
    if kept:
        one["volumes_from"] = kept


def _mount(service: str, mount: dict[str, Any], images: Mapping[str, str], notes: Notes) -> dict[str, Any] | None:
    kind, source = mount.get("type"), str(mount.get("source") or "")
    if kind == "bind":
        return _bind(service, mount, source, notes)
    if kind == "image":
        mount["source"] = images.get(source, source)
    elif kind == "npipe":
        if is_engine_socket(source):
            notes.sockets.append((service, source))
            if notes.allow_socket:
                return mount
        notes.leave(service, f"the pipe {source}")
        return None
    elif kind == "cluster":
        notes.leave(service, f"the cluster's volume at {mount.get('target')}: an empty one stands in")
        return {"type": "volume", "target": mount.get("target"), "volume": {}}
    return mount


def _bind(service: str, mount: dict[str, Any], source: str, notes: Notes) -> dict[str, Any]:
    bind = mount["bind"] = dict(mount.get("bind") or {})
    if bind.get("propagation") in _PROPAGATED:
        notes.leave(service, f"the propagation of mounts below {mount.get('target')}")
        del bind["propagation"]
    inside = in_copy(source, notes.names)
    if inside is not None:
        mount["source"] = inside
        return mount
    if is_engine_socket(source):
        notes.sockets.append((service, source))
        if notes.allow_socket:
            return mount
    bind.pop("selinux", None)  # it would label the machine's own file anew
    if is_shown(source) and notes.look(source):
        bind["create_host_path"] = False
        notes.share(service, f"{source}" if is_harmless_device(source) else f"{source}, to read")
        if not is_harmless_device(source):
            if mount.get("read_only") is not True:
                notes.leave(service, f"writing to {source}")
            mount["read_only"] = True
        return mount
    made = notes.replace(source)
    mount["source"] = made.path
    bind["create_host_path"] = True
    notes.leave(service, f"{source} at {mount.get('target')}: an empty {'file' if made.is_file else 'folder'} stands in")
    return mount
