"""A Dockerfile as a group of its own: its stages, and which of them run by what the projects around say. Knows no rule."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from hardener.errors import CannotWrite
from hardener.facts.built import asked_for, in_context
from hardener.facts.dockerfile import DockerStage, Script, chain_of
from hardener.needs.handover import Workload
from hardener.needs.stage import StageNeeds
from hardener.policy import UNDECIDED, Policy
from hardener.report import Trouble
from hardener.source import Source
from hardener.syntax.dockerfile import Dockerfile, DockerfileError, Instruction, Stage, parse, second_opinion
from hardener.syntax.dockerfile.variables import parent

if TYPE_CHECKING:
    from hardener.facts.container import Container
    from hardener.facts.tree import Tree
    from hardener.needs.proven import Proven

_ROOT = ("", "0", "root")


class DockerfileFile:
    """A Dockerfile that was read."""

    __slots__ = ("source", "tree")

    def __init__(self, source: Source, tree: Dockerfile) -> None:
        self.source = source
        self.tree = tree


class DockerfileGroup:
    """One Dockerfile, with the containers that are built from it, and what runs proved of these, by their keys."""

    sees = "stage"
    counts = "stages"

    def __init__(
        self,
        location: str,
        file: DockerfileFile,
        containers: Sequence[Container],
        tree: Tree,
        proven: Mapping[str, Proven] = {},
        policy: Policy = UNDECIDED,
        *,
        may_run_elsewhere: bool = False,
    ) -> None:
        self.files: Mapping[str, Any] = {location: file}
        self._location = location
        self._file = file
        self._containers = containers
        self._tree = tree
        self._proven = proven
        self._policy = policy
        #: Whether the project runs images that nobody knows, of which this may be one, in other ways than these containers.
        self._may_run_elsewhere = may_run_elsewhere

    @property
    def name(self) -> str:
        return self._file.source.path

    @property
    def size(self) -> int:
        return sum(stage.runs for stage in self._stages)

    @property
    def notes(self) -> Sequence[Trouble]:
        return [
            note for stage, needs in self._judged if stage.runs and (note := _not_judged(stage, needs, self.name)) is not None
        ]

    @property
    def read(self) -> Sequence[Any]:
        return (self._file,)

    @property
    def in_part(self) -> frozenset[str]:
        return frozenset()

    def judged(self) -> Iterator[tuple[DockerStage, StageNeeds]]:
        return iter(self._judged)

    @cached_property
    def _judged(self) -> tuple[tuple[DockerStage, StageNeeds], ...]:
        # Kubernetes tells a user from root by the number in the image, and would not start one that has only a name there.
        named = self._policy.named_users and all(container.refuses_root is None for container in self._containers)
        return tuple(
            (stage, StageNeeds(stage, self._workloads_of(stage), self._failed(stage), named_users=named))
            for stage in self._stages
        )

    def _failed(self, stage: DockerStage) -> Mapping[str, str]:
        """What any container failed with that is made of a stage: the text serves all of them."""
        failed: dict[str, str] = {}
        for index, containers in self._users.items() if self._proven else ():
            found = [self._proven[c.key].failed for c in containers if c.key in self._proven]
            if any(found) and stage.stage in _made_of(self._file.tree.stages[index]):
                for one in found:
                    failed = {**one, **failed}
        return failed

    def _is_root(self, container: Container) -> bool:
        """Whether the image's own user decides, or root was asked for; not where a service worked as one of its own."""
        proven = self._proven.get(container.key)
        return _is_root(container.user.effective) and (proven is None or _is_root(proven.user))

    def _workloads_of(self, stage: DockerStage) -> Callable[[], Iterator[Workload]]:
        """What is run of a stage, by each container that asks for it, or by anybody where none does."""

        def workloads() -> Iterator[Workload]:
            from hardener.needs.program import workload_of

            if stage.runs and self._location:
                # Who brings a user of its own does not run as the image's.
                containers = [c for c in self._users.get(stage.stage.index, ()) if self._is_root(c)]
                anybody = (None,) if self._may_run_elsewhere or not containers else ()
                for container in (*containers, *anybody):
                    yield workload_of(stage, self._context, self._tree, container)

        return workloads

    def changed(self, texts: Mapping[str, tuple[Source, Any]]) -> Self:
        for tree in (self._file.tree, *(tree for _, tree in texts.values())):
            disagreement = second_opinion(tree)
            if disagreement:
                raise CannotWrite(f"two readings of this file disagree: {disagreement}")
        file = DockerfileFile(*texts[self._file.source.path]) if self._file.source.path in texts else self._file
        elsewhere = self._may_run_elsewhere
        return type(self)(
            self._location, file, self._containers, self._tree, self._proven, self._policy, may_run_elsewhere=elsewhere
        )

    def weaker(self, after: Self) -> str:
        were_root = {stage.key: _starts_as_root(stage) for stage in self._stages if stage.runs}
        weaker = (
            stage.subject
            for stage in after._stages
            if stage.runs and _starts_as_root(stage) and not were_root.get(stage.key, True)
        )
        return next((f"{subject} starts as root" for subject in weaker), "")

    @cached_property
    def _users(self) -> Mapping[int, list[Container]]:
        """Which containers ask for each stage that runs, by its index."""
        dockerfile = self._file.tree
        users: dict[int, list[Container]] = {dockerfile.stages[-1].index: []}
        for container in self._containers:
            target = asked_for(dockerfile, container.build.target if container.build else "")
            if target is not None:
                users.setdefault(target.index, []).append(container)
        return users

    @cached_property
    def _stages(self) -> tuple[DockerStage, ...]:
        """Every stage. Those run that the projects around ask for, and the last one."""
        dockerfile = self._file.tree
        users = self._users
        ships = {member.index for index in users for member in chain_of(dockerfile.stages[index])}
        scripts: dict[int, tuple[Script, ...]] = {}
        return tuple(self._stage(stage, users.get(stage.index), stage.index in ships, scripts) for stage in dockerfile.stages)

    def _stage(
        self, stage: Stage, containers: list[Container] | None, ships: bool, scripts: dict[int, tuple[Script, ...]]
    ) -> DockerStage:
        # Where every container brings a user of its own, the image's does not matter.
        runs = containers is not None and (not containers or any(map(self._is_root, containers)))
        started_by = ", ".join(c.subject for c in containers or () if c.command is not None or c.entrypoint is not None)
        return in_context(
            self._file.source,
            self._file.tree,
            stage,
            self._context,
            self._tree,
            runs=runs,
            ships=ships,
            started_by=started_by,
            scripts=scripts,
        )

    @property
    def _context(self) -> str:
        """The folder that it is built in: what the containers say where they agree, else its own."""
        said = {container.build.context for container in self._containers if container.build}
        return said.pop() if len(said) == 1 else os.path.dirname(self._location)


def dockerfile_groups(
    sources: Mapping[str, Source],
    built: Mapping[str, Sequence[Container]],
    tree: Tree,
    troubles: list[Trouble],
    proven: Mapping[str, Proven] = {},
    policy: Policy = UNDECIDED,
    *,
    may_run_elsewhere: bool = False,
) -> Iterator[DockerfileGroup]:
    """Each Dockerfile as a group; one that a builder would refuse is reported and left out.

    `built` are the containers by the Dockerfile that they are built from, `proven` what runs proved of them, by their keys.
    `may_run_elsewhere`: whether there are containers of images that nobody knows, each of which may be made of one of these.
    """
    for location, source in sources.items():
        try:
            file = DockerfileFile(source, parse(source.text))
        except DockerfileError as error:
            troubles.append(Trouble(source.path, error.line, error.reason, "mend it: a builder refuses it too"))
            continue
        yield DockerfileGroup(location, file, built.get(location, ()), tree, proven, policy, may_run_elsewhere=may_run_elsewhere)


def _is_root(user: str) -> bool:
    """Whether a user says root, or nothing."""
    return user.partition(":")[0] in _ROOT


def _made_of(stage: Stage) -> set[Stage]:
    """A stage, with those that it builds upon or takes files from, and theirs."""
    found: set[Stage] = set()
    waiting = [stage]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            above = parent(one)
            names = {name.lower() for item in one.instructions for name in _taken_from(item)}
            waiting += [other for other in one.dockerfile.stages[: one.index] if names & {other.name or "", str(other.index)}]
            waiting += [above] if above is not None else []
    return found


def _taken_from(item: Instruction) -> Iterator[str]:
    """The stages or images that an instruction takes files from."""
    for flag in item.flags:
        if flag.name == "from":
            yield flag.value or ""
        elif flag.name == "mount":
            yield from (part[len("from=") :] for part in (flag.value or "").split(",") if part.startswith("from="))


def _not_judged(stage: DockerStage, needs: StageNeeds, name: str) -> Trouble | None:
    """Why nothing is said of who runs in a stage."""
    if needs.user_of_the_base:
        item = stage.users[-1].item
        reason = f"`{stage.subject}` runs as `{item.arguments}`, which only its base image can set"
        return Trouble(name, item.line, reason)
    if needs.steps_down and _starts_as_root(stage):
        line = stage.place(stage.from_item).line
        return Trouble(name, line, f"`{stage.subject}` starts as root and is left so: {needs.steps_down}")
    return None


def _starts_as_root(stage: DockerStage) -> bool:
    return not stage.users or stage.users[-1].is_root is not False
