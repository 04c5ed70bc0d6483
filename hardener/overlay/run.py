"""A run whose fixes are written beside the files: what goes into it, and its report with overlays in place of edits.

Knows the kinds of files; leaves to each kind's module what its overlays look like.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from hardener import source as text_source
from hardener.discover import COMPOSE, DOCKERFILE, KUBERNETES, Found
from hardener.errors import HardenError, Unreadable
from hardener.facts.own_overlay import is_own_overlay
from hardener.facts.tree import Tree, repository_root
from hardener.pipeline import Request, tree_roots
from hardener.pipeline import run as judge
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.source import Source

if TYPE_CHECKING:
    from hardener.facts.kubernetes.kustomization import Build
    from hardener.overlay.kubernetes import Refusal


def run(request: Request, folders: Sequence[str] = ()) -> Report:
    """Judge all files but Dockerfiles, which nothing can be laid over, and compute the overlays that would be written.

    `folders` are those that were asked for, by path; a kustomization in one need have no manifest beside it.
    Findings that an overlay answers already are left out, as those that are mended in a file are.
    """
    folders = [os.path.realpath(folder) for folder in folders]
    tree = Tree((*tree_roots(request), *map(repository_root, folders)), request.fetch)
    notes = [
        Trouble(
            found.name,
            0,
            "nothing can be laid over a Dockerfile: left out, and what would follow from its fixes too",
            "run harden without --overlay on it",
        )
        for found in request.files
        if found.kind == DOCKERFILE
    ]
    compose = [found for found in request.files if found.kind == COMPOSE and not _is_ours(found)]
    manifests = [found for found in request.files if found.kind == KUBERNETES]
    builds: list[Build] = []
    troubles: list[Trouble] = []
    if manifests or folders:
        manifests, builds, troubles = _built(manifests, folders, tree)
        notes += [note for build in builds for note in build.notes]
    files = (*compose, *manifests)
    report = judge(request._replace(files=files, overlaid=True))
    sources = {found.location: text for found in files if (text := _text(found)) is not None}
    changed = {change.location: change.after for change in report.changes}
    laid: list[FileChange] = []
    refused: dict[str, str] = {}
    settled: frozenset[str] = frozenset()
    if compose:
        from hardener.overlay.compose_files import overlays

        own = {found.location for found in compose}
        made = overlays(_only(sources, own), _only(changed, own), tree)
        laid += made.changes
        troubles += made.troubles
        refused |= made.refused
        settled |= made.settled
    refusals: list[Refusal] = []
    if builds:
        from hardener.overlay.kubernetes import patches

        for build in builds:
            own = set(build.manifests)
            written = patches(build, _only(sources, own), _only(changed, own), tree)
            laid += written.changes
            troubles += written.troubles
            refusals += written.refusals
        open_files = {path for change in laid for path in change.stands_for}
        settled |= {sources[found.location].path for found in manifests if found.location in changed} - open_files
    outcomes = tuple(_outcomes(report.outcomes, refused, refusals, settled))
    return report._replace(
        outcomes=outcomes, changes=tuple(laid), troubles=(*report.troubles, *troubles), notes=(*notes, *report.notes)
    )


def _outcomes(
    outcomes: Iterable[Outcome], refused: Mapping[str, str], refusals: Iterable[Refusal], settled: frozenset[str]
) -> Iterator[Outcome]:
    refusals = list(refusals)
    for outcome in outcomes:
        place = outcome.finding.place
        why = refused.get(place.path, "") or next(
            (one.reason for one in refusals if one.path == place.path and one.lines[0] <= place.line <= one.lines[1]), ""
        )
        if outcome.status is Status.APPLIED and why:
            yield outcome._replace(status=Status.REFUSED, why=why)
        elif outcome.status is not Status.APPLIED or place.path not in settled:
            yield outcome


def _built(found: list[Found], folders: Sequence[str], tree: Tree) -> tuple[list[Found], list[Build], list[Trouble]]:
    """The manifests that kustomizations build, with these, and a trouble for each that none builds.

    A folder that was asked for and has a kustomization gets the patches of all that this builds, wherever it lies in the
    repository. Without one, each manifest's own folder does.
    """
    from hardener.facts.kubernetes.kustomization import build_of, kustomization_in
    from hardener.facts.kubernetes.manifest import ManifestFile
    from hardener.facts.kubernetes.workloads import pods
    from hardener.overlay.kustomization import with_images

    whole = {
        kustomization_in(within, tree) for within in {*folders, *(f.within or os.path.dirname(f.location) for f in found)}
    } - {""}
    builds = [build_of(location, tree) for location in sorted(whole)]
    named = {path for build in builds for path in build.manifests}
    near = {path for f in found if f.location not in named for path in _kustomizations_around(f, tree)} - whole
    others = [build_of(location, tree, deep=False) for location in sorted(near, key=len, reverse=True)]
    beside = {path for build in (*builds, *others) for path in (*build.patches, build.location)}
    for build in others:  # the nearest first: each manifest counts once
        own = tuple(path for path in build.manifests if path not in named)
        named.update(own)
        builds += [build._replace(manifests=own)] if own else []
    known = {f.location: f for f in found}
    troubles: list[Trouble] = []
    wanted: dict[str, Found] = {}
    for build in builds:
        for location in build.manifests:
            name = os.path.relpath(location).replace(os.sep, "/")
            file = known.get(location) or Found(location, name, KUBERNETES, False)
            try:
                file = file._replace(text=with_images(file.text or text_source.read(location, name), build.images))
            except Unreadable:
                pass  # the run will say so
            except HardenError as error:
                reason = f"it is left out: {os.path.relpath(build.location)} gives it other images, and {error}"
                troubles.append(Trouble(name, 0, reason, "run harden without --overlay on it"))
                continue
            other = wanted.get(location, file).text
            if file.text is not None and other is not None and other.text != file.text.text:
                reason = "it is left out: two kustomizations give it different images"
                troubles.append(Trouble(name, 0, reason, "run harden on one of their folders at a time"))
                del wanted[location]
                continue
            wanted[location] = file
    for file in found:
        if file.location in wanted or file.location in beside or _is_ours(file):
            continue
        text = _text(file)
        try:
            asks_for_pods = text is not None and any(pods(ManifestFile(text).tree))
        except Unreadable:
            asks_for_pods = False
        if asks_for_pods:
            remedy = "run harden without --overlay on it, or list it under `resources:` of a kustomization.yaml in its folder"
            troubles.append(Trouble(file.name, 0, "no kustomization builds it, so that a patch has no place", remedy))
    return list(wanted.values()), builds, troubles


def _kustomizations_around(found: Found, tree: Tree) -> Iterator[str]:
    """The kustomizations of a file's folder and of those around it, in the folder that was asked for."""
    from hardener.facts.kubernetes.kustomization import kustomization_in

    folder = os.path.dirname(found.location)
    top = found.within or folder
    while True:
        location = kustomization_in(folder, tree)
        if location:
            yield location
        if folder == top or os.path.dirname(folder) == folder:
            return
        folder = os.path.dirname(folder)


def _only(sources: Mapping[str, Source], locations: set[str]) -> dict[str, Source]:
    return {location: source for location, source in sources.items() if location in locations}


def _text(found: Found) -> Source | None:
    try:
        return found.text or text_source.read(found.location, found.name)
    except Unreadable:
        return None


def _is_ours(found: Found) -> bool:
    text = _text(found)
    return text is not None and is_own_overlay(text.text)
