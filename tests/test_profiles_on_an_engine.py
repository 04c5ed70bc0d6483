"""Profiles against a real engine, on EMULATIONS of the images that they are about, not on the images themselves.

Versions are Debian's, whatever the tag says; accounts, directories and the steps of each entrypoint are those of the
published image (`tests/emulated`). Each is run under exactly what follows from its profile, and has to do its job when it
is new, after a restart, and when it is made anew over its data. So that this can fail, the same is done with one need less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.mark.structures import ParameterSet
from emulated_images import AS_IT_IS, AS_ITS_ACCOUNT, EMULATIONS, ON_FOREIGN_DATA, WRITABLE_ROOT, Emulated
from emulation import PATIENCE, STRANGER, Broken, Container, Engine, Options, Submit

from hardener.needs.needs import Needs

#: Seconds for a server that should not answer.
IMPATIENCE = 4


class Case(NamedTuple):
    """A life to be led: of which emulation, in which way, and less which need."""

    number: int
    way: str
    need: str = ""

    @property
    def emulated(self) -> Emulated:
        """The emulation."""
        return EMULATIONS[self.number]

    @property
    def param(self) -> ParameterSet:
        """The case as a parameter, whose id says that it is no published image."""
        name = f"{self.emulated.title} {self.way}"
        return pytest.param(self, id=f"{name} without {self.need}" if self.need else name)


WORKS = [Case(number, way) for number, emulated in enumerate(EMULATIONS) for way in emulated.ways]
FELT = [Case(number, AS_IT_IS, need) for number, emulated in enumerate(EMULATIONS) for need in emulated.felt]
FELT += [
    Case(number, ON_FOREIGN_DATA, need) for number, emulated in enumerate(EMULATIONS) for need in emulated.felt_on_foreign_data
]


def options(needs: Needs, way: str) -> Options:
    """What follows from a profile, and nothing else."""
    assert needs.holds, needs.why_not
    assert needs.capabilities is not None
    account = needs.account
    read_only = needs.read_only is not None and needs.read_only.works
    amounts = [math.ceil(limit.amount) if limit else None for limit in (needs.memory, needs.pids)]
    return Options(
        user=f"{account.uid}:{account.gid}" if way == AS_ITS_ACCOUNT and account else "",
        cap_add=frozenset(capability.name for capability in needs.capabilities),
        no_new_privileges=needs.no_new_privileges is not None and needs.no_new_privileges.works,
        read_only=read_only,
        tmpfs={mount.path: (mount.uid, mount.gid, mount.exec) for mount in needs.tmpfs},
        memory=amounts[0],
        cpus=needs.cpu.amount if needs.cpu else None,
        pids=amounts[1],
    )


def without(options: Options, need: str) -> Options:
    """The same, less one need, which must be there."""
    if need.startswith("/"):
        assert need in options.tmpfs
        return options._replace(tmpfs={path: how for path, how in options.tmpfs.items() if path != need})
    if need == WRITABLE_ROOT:
        assert not options.read_only, "the profile promises nothing here"
        return options._replace(read_only=True)
    assert need in options.cap_add
    return options._replace(cap_add=options.cap_add - {need})


class Life:
    """The life of one service: containers that come and go over the same volumes."""

    def __init__(self, engine: Engine, emulated: Emulated, way: str, options: Options, project: Path, patience: float) -> None:
        self._engine = engine
        self._emulated = emulated
        self._needs = emulated.needs(way)
        self._options = options
        self._patience = patience
        owner = STRANGER if way == ON_FOREIGN_DATA else None
        self._volumes = {path: engine.volume(owner) for path in emulated.volumes}
        # RabbitMQ keeps its data by the name of the host, and looks that name up.
        self._flags = [
            f"--network={emulated.network}",
            "--hostname=localhost",
            *(f"--env={name}={value}" for name, value in emulated.environment.items()),
        ]
        # The engine would give an empty volume the owner that the image's directory has.
        self._flags += [f"--volume={name}:{path}{':nocopy' if owner else ''}" for path, name in self._volumes.items()]
        for path, text in emulated.files.items():
            file = project / path.strip("/")
            file.parent.mkdir(parents=True)
            file.write_text(text)
            self._flags.append(f"--volume={project / emulated.mounted(path).strip('/')}:{emulated.mounted(path)}:ro")

    def lead(self, *, foreign: bool) -> None:
        """New, restarted, made anew; with `foreign`, over data that a stranger took in between. Raises `Broken`."""
        container = self._start()
        try:
            self._check(container, fresh=True)
            container.restart()
            self._check(container)
            container.stop()
        finally:
            container.remove()
        if foreign:
            for volume in self._volumes.values():
                self._engine.give(volume, STRANGER)
        container = self._start()
        try:
            self._check(container)
        finally:
            container.remove()

    def _start(self) -> Container:
        image = self._engine.build(self._emulated.folder)
        return self._engine.start(image, self._options, self._flags, list(self._emulated.command))

    def _check(self, container: Container, *, fresh: bool = False) -> None:
        emulated = self._emulated
        if fresh or not emulated.keeps:
            container.ask(emulated.work, self._patience)
        answer = container.ask(emulated.ask, self._patience)
        if emulated.answer not in answer:
            raise Broken(f"answers {answer!r}: {container.log()}")
        processes = container.processes()
        serving = [process for process in processes if not (emulated.root_parent and process.pid == 1)]
        account = self._needs.account
        expected = (account.uid, account.gid) if account else (0, 0)
        if not serving:
            raise Broken("nothing serves")
        for process in serving:
            if (process.uid, process.gid) != expected:
                raise Broken(f"serves as {process.uid}:{process.gid} instead of {expected}: {processes}")
            if account and process.capabilities:
                raise Broken(f"serves as {process.uid} with capabilities {process.capabilities:x}")


def begin(
    engine: Engine, submit: Submit, folders: pytest.TempPathFactory, items: Iterable[pytest.Function]
) -> dict[Case, Future[None]]:
    """Begin the lives of the cases that tests ask for; one raises `Broken` where it does not do its job."""

    def life(case: Case) -> None:
        asked = options(case.emulated.needs(case.way), case.way)
        patience = PATIENCE
        if case.need:
            asked, patience = without(asked, case.need), IMPATIENCE
        project = folders.mktemp("project")
        Life(engine, case.emulated, case.way, asked, project, patience).lead(foreign=case.way == ON_FOREIGN_DATA)

    begun: dict[Case, Future[None]] = {}
    for item in items:
        case = item.callspec.params["case"]
        assert isinstance(case, Case)
        begun[case] = submit(partial(life, case))
    return begun


@pytest.fixture
def mine(engine: Engine, lives: Mapping[str, Mapping[Case, Future[None]]]) -> Mapping[Case, Future[None]]:
    """The lives of these cases."""
    return lives[__name__]


@pytest.mark.engine
@pytest.mark.parametrize("case", [case.param for case in WORKS])
def test_an_emulation_works_under_what_its_profile_says(mine: Mapping[Case, Future[None]], case: Case) -> None:
    mine[case].result()


@pytest.mark.engine
@pytest.mark.parametrize("case", [case.param for case in FELT])
def test_an_emulation_feels_it_when_a_need_is_missing(mine: Mapping[Case, Future[None]], case: Case) -> None:
    with pytest.raises(Broken):
        mine[case].result()
