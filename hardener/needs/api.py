"""Whether a container works without credentials for the API of what runs it. Knows no rule.

By the profile's `[[api]]` items where its image may ask that API, else by what was read of its program. Words about the
cluster in what it is told leave it open: an option may have any name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.facts.container import Container
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.needs.conditions import Situation
from hardener.needs.needs import Needs
from hardener.needs.profile import EVERYWHERE, Verdict

if TYPE_CHECKING:  # knows Dockerfiles, which images that are pulled have no need of
    from hardener.facts.image_files import ImageFiles

#: Programs that are there to ask the API.
_CLIENTS = frozenset("kubectl helm helmfile kustomize oc argocd flux istioctl k9s kubeadm velero stern".split())
#: Words that somebody writes who means the cluster.
_ABOUT = re.compile(r"(?i)kube|k8s|serviceaccount|in-?cluster")
#: More text than this is not searched.
_MOST_TEXT = 1024 * 1024
#: A longer word of a command is not told as a whole.
_LONGEST_WORD = 40


def api_of(needs: Needs, container: Container, tree: Tree, situation: Situation) -> Verdict | None:
    """The verdict; None where it is not known. Only to be asked of a container that has such credentials."""
    at = f"{container.place.path}:{container.place.line}"
    words = [word for text in (*(container.entrypoint or ()), *(container.command or ())) for word in text.split()]
    client = next((name for word in words if (name := word.rpartition("/")[2].strip("\"'();")) in _CLIENTS), "")
    if not client and needs.holds:
        client = next((name for name, _ in needs.runs if name in _CLIENTS), "")
    if client:
        return Verdict(EVERYWHERE, False, f"`{client}` asks the API", Evidence(f"it runs {client}", at, Strength.READ))
    if not needs.holds:
        return None
    mentioned = _mentioned(container, situation)
    if needs.start is not None:
        return _of_image(needs, container, tree, mentioned)
    return _of_program(needs, container, tree, mentioned)


def _of_image(needs: Needs, container: Container, tree: Tree, mentioned: str) -> Verdict | None:
    """By the profile: what it says of the API, or that the image never asks it."""
    if needs.api is not None:
        # What may ask the API is told to.
        return needs.api._replace(works=False, why=f"{mentioned} is about the cluster") if mentioned else needs.api
    assert needs.start is not None
    evidence = needs.start.evidence._replace(claim="nothing of it asks the API of the cluster")
    doubt = f"why {mentioned} is about the cluster" if mentioned else ""
    if not doubt and container.build is not None:
        from hardener.facts.built import BuiltImage
        from hardener.needs.built import image_of

        image = image_of(container, tree)
        doubt = _in_files(image.files) if isinstance(image, BuiltImage) else "what the image has"
    return Verdict(EVERYWHERE, True, "", evidence, doubt)


def _of_program(needs: Needs, container: Container, tree: Tree, mentioned: str) -> Verdict | None:
    """By what was read of the program, all of which is known but for what no client of the API would do."""
    from hardener.needs.bases import find_base
    from hardener.needs.built import image_of
    from hardener.needs.program import uses_in
    from hardener.needs.source.uses import CAPABILITIES, ESCALATION, WRITES

    image = image_of(container, tree)
    if isinstance(image, str) or needs.read is None:
        return None
    base = find_base(image.stage.image) if image.stage.image else None
    if uses_in(image, base, container, tree).open(WRITES, CAPABILITIES, ESCALATION):
        return None
    evidence = needs.read._replace(claim=f"nothing asks the API of the cluster in {needs.read.claim}")
    doubt = f"why {mentioned} is about the cluster" if mentioned else _in_files(image.files)
    return Verdict(EVERYWHERE, True, "", evidence, doubt)


def _mentioned(container: Container, situation: Situation) -> str:
    """What of its settings or mounted files is about the cluster, in words; empty for nothing that is known."""
    for word in (*(container.entrypoint or ()), *(container.command or ())):
        if _ABOUT.search(word):
            return _told(word)
    for name, value in container.environment.items():
        if _ABOUT.search(name) or _ABOUT.search(value or ""):
            return f"`{name}`"
    return next((f"what is mounted at {mount.target}" for mount in situation.mounts if _ABOUT.search(mount.text or "")), "")


def _told(word: str) -> str:
    """A word of a command about the cluster, of which a long option is told by its name."""
    name, sign, _ = word.partition("=")
    if len(word) <= _LONGEST_WORD or not sign or not word.startswith("-"):
        return f"`{word if len(word) <= _LONGEST_WORD else f'{word[: _LONGEST_WORD - 3]}...'}`"
    return f"`{name}`" if _ABOUT.search(name) else f"the value of `{name}`"


def _in_files(files: ImageFiles) -> str:
    """What is not known of the files of the project in an image, or is about the cluster there."""
    return next(_about_cluster(files), "")


def _about_cluster(files: ImageFiles) -> Iterator[str]:
    left = _MOST_TEXT
    for path in files.walk():
        text = files.text(path)
        left -= len(text or "")
        if left < 0:
            yield "what all of its files say about the cluster"
        if text is not None and _ABOUT.search(text):
            yield f"why {files.origin(path) or path} is about the cluster"
    for target, text in files.copied():
        if text is None and not any(files.walk(target)):
            yield f"what is copied to {target}"
