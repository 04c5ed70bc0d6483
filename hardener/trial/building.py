"""How images of a Compose model are built and called in a trial. Knows no other part of the model.

No image name of the user's is given away, and nothing leaves the machine: no tags, no caches elsewhere, no agent's keys.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from hardener.trial.host import Names, in_copy, in_original
from hardener.trial.notes import Notes

#: Written elsewhere, or asked from elsewhere only to be quicker or newer.
_WITHOUT_A_WORD = ("tags", "cache_to", "cache_from", "pull", "no_cache")
#: What fetches an image again that is there, which moves the user's name for it.
_FETCHES_AGAIN = re.compile(r"always|daily|weekly|every_.*|build|newer|refresh")


def image_names(services: Mapping[str, Mapping[str, Any]], names: Names) -> tuple[dict[str, str], dict[str, str]]:
    """The names of the images that are built: by service, and by the name that the project has for them."""
    built: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for service, one in services.items():
        if not one.get("build"):
            continue
        # A path's parts are lower case letters and digits with single separators between them.
        plain = f"{names.project}-" + re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-")
        repository, number = plain, 1
        while f"{repository}:{names.tag}" in built.values():
            number += 1
            repository = f"{plain}-{number}"
        built[service] = f"{repository}:{names.tag}"
        if one.get("image"):
            renamed.setdefault(str(one["image"]), built[service])
    return built, renamed


def build(service: str, one: dict[str, Any], built: Mapping[str, str], renamed: Mapping[str, str], notes: Notes) -> None:
    """Change a service's image and how it is built, in place."""
    if service not in built:
        if one.get("image") in renamed:
            one["image"] = renamed[one["image"]]
            one["pull_policy"] = "never"
        elif _FETCHES_AGAIN.fullmatch(str(one.get("pull_policy") or "")):
            one["pull_policy"] = "missing"
        return
    one["image"] = built[service]
    # Still built where it is not there (2.40.3), and never asked of a registry.
    one["pull_policy"] = "never"
    how = one["build"]
    if isinstance(how, str):
        how = {"context": how}
    how = one["build"] = dict(how)
    for name in _WITHOUT_A_WORD:
        how.pop(name, None)
    if how.pop("ssh", None):
        notes.leave(service, "building with the keys of an SSH agent")
    if how.pop("privileged", None):
        notes.leave(service, "building with privileges")
    entitlements = how.pop("entitlements", None) or []
    if "network.host" in entitlements:
        how["entitlements"] = ["network.host"]
    if set(entitlements) - {"network.host"}:
        notes.leave(service, "building with privileges")
    if how.get("context"):
        how["context"] = _context(service, str(how["context"]), renamed, notes)
    if how.get("additional_contexts"):
        contexts = how["additional_contexts"].items()
        how["additional_contexts"] = {key: _context(service, str(value), renamed, notes) for key, value in contexts}
    if str(how.get("dockerfile") or "").startswith("/"):
        how["dockerfile"] = in_copy(how["dockerfile"], notes.names) or how["dockerfile"]
    how["labels"] = {**(how.get("labels") or {}), **notes.names.labels}


def _context(service: str, context: str, renamed: Mapping[str, str], notes: Notes) -> str:
    """What an image is built from: the copy, or something that is only read."""
    if not context.startswith("/"):
        kind, _, image = context.partition("://")
        if kind == "docker-image" and image in renamed:
            return f"docker-image://{renamed[image]}"
        if not context.startswith(("service:", "docker-image:", "oci-layout:")):
            notes.share(service, f"{context}, to build from")
        return context
    inside = in_copy(context, notes.names)
    if inside is not None:
        return inside
    original = in_original(context, notes.names)
    found = original if notes.look(original) and not notes.look(context) else os.path.normpath(context)
    notes.share(service, f"{found}, to build from: it is not part of the copy, and not hardened")
    return found
