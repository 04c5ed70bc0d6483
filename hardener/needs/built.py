"""What a container needs whose image the project builds, or whose program the project mounts. Knows no language and no rule.

First by the profile of the base image, where its own start is kept; else by what its program does, as the readers of
`hardener.needs.source` tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from hardener.facts.built import BuiltImage, built_image
from hardener.facts.container import Build, Container
from hardener.facts.dockerfile import DockerStage
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.needs.bases import Base, find_base
from hardener.needs.ground import ground_of
from hardener.needs.needs import Needs
from hardener.needs.profile import Account
from hardener.needs.program import lay_over, uses_in
from hardener.needs.source.uses import EVERYTHING
from hardener.needs.start import accounts_of
from hardener.needs.workload import Runner, needs_of_workload

_ROOT = ("", "0", "root")
#: Where `nobody` has these numbers: base-passwd of Debian, alpine-baselayout and BusyBox. Others had 99.
_NOBODY = {"nobody": "65534:65534"}
_WITH_NOBODY = frozenset(("debian", "alpine", "busybox"))


def image_of(container: Container, tree: Tree) -> BuiltImage | str:
    """The image of a container as a stage of a Dockerfile, or why it is not known.

    A pulled image counts as one that is built from it and nothing else.
    """
    build = container.build
    if build is None:
        if container.image is None or "$" in container.image_text or "\n" in container.image_text:
            return "the image"
        build = Build("", "", inline=f"FROM {container.image_text}\n")
    image = built_image(build, tree, container.place.path)
    if isinstance(image, BuiltImage):
        lay_over(image.files, container, tree)
    return image


def needs_of_program(image: BuiltImage, container: Container, usual: Needs, tree: Tree) -> Needs:
    """What a container needs by what its program does; `usual` is what is taken for what is not known."""
    stage = image.stage
    base = find_base(stage.image) if stage.image else None
    if container.build is None and base is None:
        # Of an image that nobody knows, not even the name of a program says what it is.
        return Needs(False, "the image")
    uses = uses_in(image, base, container, tree)
    nothing = next((doubt.text for doubt in uses.doubts if doubt.about >= EVERYTHING), "")
    if nothing:
        return Needs(False, nothing)
    return needs_of_workload(uses, runner_of(stage, base, container), ground_of(image, base), container, usual)


def is_all_that_starts(stage: DockerStage) -> bool:
    """Whether a stage's own entrypoint and command are all that is started: its base has no entrypoint that does more."""
    base = find_base(stage.image) if stage.image else None
    return stage.last("ENTRYPOINT") is not None or (base is not None and bool(base.entrypoint))


def starts_as_root(image: BuiltImage, container: Container) -> bool | None:
    """Whether the first process of an image is root in a container; None when it is not known."""
    base = find_base(image.stage.image) if image.stage.image else None
    return runner_of(image.stage, base, container).root


def runner_of(stage: DockerStage, base: Base | None, container: Container | None) -> Runner:
    """Who runs its program, by the service, the last USER or the base image."""
    asked = container.user.effective if container is not None else ""
    if asked:
        text: str | None = asked
        evidence = Evidence(f"it runs as {asked}", "", Strength.READ)
        if container is not None:
            evidence = evidence._replace(source=f"{container.user.place.path}:{container.user.place.line}")
    elif stage.users:
        last = stage.users[-1]
        text, evidence = last.text, Evidence(f"USER {last.text}", stage.at(last.item), Strength.READ)
    elif base is not None:
        own = base.starts_as
        text = f"{own.uid}:{own.gid}" if own else "root"
        evidence = base.evidence._replace(claim=f"no USER is set, and the base image starts as {own.name if own else 'root'}")
    else:
        text, evidence = None, Evidence("", "")
    if text is None or "$" in text:
        return Runner(None, None, evidence)
    name, _, group = text.partition(":")
    account = _account(name, group, known_accounts(stage, base))
    if name in _ROOT or (account is not None and account.uid == 0):
        return Runner(True, None, evidence)
    return Runner(False, account, evidence)


def known_accounts(stage: DockerStage, base: Base | None) -> Mapping[str, str]:
    """The numbers of accounts by name: the image's own, and those that its instructions create."""
    brought = [account for account in (base.account, base.starts_as) if account] if base else []
    everybody = _NOBODY if base is not None and base.family in _WITH_NOBODY else {}
    return {**everybody, **{a.name: f"{a.uid}:{a.gid}" for a in brought}, **accounts_of(stage)}


def _account(name: str, group: str, accounts: Mapping[str, str]) -> Account | None:
    if name.isdecimal():
        # Without a group of its own it has root's, unless the image has an account of that number.
        known = next((numbers for numbers in accounts.values() if numbers.partition(":")[0] == name), f"{name}:0")
    else:
        known = accounts.get(name, "")
    uid, _, gid = known.partition(":")
    if group:
        gid = group if group.isdecimal() else "0" if group == "root" else gid if group == name else ""
    if not uid or not gid:
        return None
    return Account("" if name.isdecimal() else name, int(uid), int(gid))
