"""How tests run the tool, on a project given as bytes, with the result as bytes; what they share, and which processes run them.

Knows no rule.
"""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from compose_oracle import Files, write
from emulation import Broken, Engine, missing

from hardener.discover import discover
from hardener.finding import Place
from hardener.pipeline import Request, run
from hardener.report import Report, Status

if TYPE_CHECKING:
    from github_emulator import Emulator

#: More would not be faster: each process reads all tests first, and those on the engine follow one another.
MOST_WORKERS = 5
#: Files of tests at an emulated GitHub.
AT_A_FORGE = ("test_bot_github.py", "test_bot_end_to_end.py")
#: Lives of containers that are led at a time, beside tests that bring other things up: most of a life is waiting.
AT_A_TIME = 8


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The processes for `-n logical`, which `pyproject.toml` asks for: none where less than all tests are asked for.

    For all of them there is one for each core, and one more where an engine answers, since the tests there mostly wait.
    """
    if config.option.numprocesses != "logical":
        return None
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.option.keyword or config.option.markexpr:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(cores + (not missing()), MOST_WORKERS)
    return workers if workers > 1 else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on an engine begin first: they wait most, while others compute. Of them, those of lives that go on beside the others
    come last, and are begun by the first.
    """

    def order(item: pytest.Item) -> int:
        return 2 if item.get_closest_marker("engine") is None else int(_leads_lives(item))

    items.sort(key=order)
    for item in items:
        if order(item) == 0 and isinstance(item, pytest.Function):
            item.fixturenames.insert(0, "lives")


def _leads_lives(item: pytest.Item) -> bool:
    """Whether its module says by a function `begin` what is to go on beside other tests."""
    return isinstance(item, pytest.Function) and hasattr(item.module, "begin")


def pytest_collection_finish() -> None:
    """All tests are there until the end: to look for garbage among them, over and over, would cost more than many of them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Shares out whole functions, with all their cases, and to one process the files of tests on an engine, one after another.

    What is made there is each test's own, but for the layers of images: to take one away may take what another builds upon.
    """
    if config.option.dist != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFunction(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            function = nodeid.partition("[")[0]
            if any(name in function for name in AT_A_FORGE):
                return "forge"  # which is started for each process
            if "_on_an_engine.py" not in function:
                return function
            return "engine"

    config.option.loadscopereorder = False  # as they are sorted
    return ByFunction(config, log)


class Result(NamedTuple):
    """What became of a project."""

    files: dict[str, bytes]
    report: Report

    @property
    def lines(self) -> list[str]:
        """A line for each finding, `path:line rule subject status`, and for what was not read or not judged; sorted."""
        report = self.report
        found = [(o.finding.place, f"{o.finding.rule} {o.finding.subject} {o.status.value}") for o in report.outcomes]
        found += [(Place(t.path, t.line, 0), "unreadable") for t in report.troubles]
        found += [(Place(t.path, t.line, 0), "not-judged") for t in report.notes]
        return [f"{place.path}:{place.line} {what}" for place, what in sorted(found)]

    @property
    def quiet(self) -> bool:
        """Whether nothing was changed or tried."""
        ended = {outcome.status for outcome in self.report.outcomes}
        return not self.report.changes and not ended & {Status.APPLIED, Status.FAILED}


def harden(folder: Path, files: Files, *, unsafe: bool = True, select: Iterable[str] = ()) -> Result:
    """Run the tool on a project, laid out in a fresh folder; nothing is written there afterwards."""
    write(folder, files)
    before = os.getcwd()
    os.chdir(folder)  # so that reports name paths within the project
    try:
        found, troubles = discover(["."])
        report = run(Request(tuple(found), unsafe=unsafe, select=frozenset(select)))
    finally:
        os.chdir(before)
    after = dict(files) | {change.before.path: change.after.to_bytes() for change in report.changes}
    return Result(after, report._replace(troubles=(*troubles, *report.troubles)))


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory):
    """`project(files, unsafe=True, select=())`: the tool's result on a project; see `harden`."""

    def run_on(files: Files, **how: object) -> Result:
        return harden(tmp_path_factory.mktemp("project"), files, **how)  # type: ignore[arg-type]

    return run_on


class InTheMaking(NamedTuple):
    """An engine, for which the root file system of all emulations is being made; `reason` is why that failed, or empty."""

    engine: Engine
    reason: Future[str]

    def wait(self) -> Engine:
        """The engine once that is there. Raises `Broken`."""
        if reason := self.reason.result():
            raise Broken(f"no root file system could be made from Debian's packages: {reason}")
        return self.engine


@pytest.fixture(scope="session")
def in_the_making() -> Iterator[InTheMaking]:
    """Begins with what all emulations stand on, which takes a while; all that was made on the engine goes again."""
    if missing():
        pytest.skip(missing())
    engine = Engine()
    with ThreadPoolExecutor(1) as maker:
        try:
            yield InTheMaking(engine, maker.submit(engine.make_base))
        finally:
            maker.shutdown()
            engine.close()


@pytest.fixture(scope="session")
def engine(in_the_making: InTheMaking) -> Engine:
    """An engine with the root file system of all emulations."""
    try:
        return in_the_making.wait()
    except Broken as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def lives(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Mapping[Any, Any]]]:
    """What modules of this run lead on the engine, by their names, and what `begin` gave for each: it goes on in threads."""
    by_module: dict[ModuleType, list[pytest.Function]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.get_closest_marker("engine") and _leads_lives(item):
            by_module.setdefault(item.module, []).append(item)
    if not by_module or missing():
        yield {}
        return
    made: InTheMaking = request.getfixturevalue("in_the_making")
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    pool = ThreadPoolExecutor(AT_A_TIME)

    def submit(life: Callable[[], None]) -> Future[None]:
        return pool.submit(lambda: made.wait() and life())

    yield {module.__name__: module.begin(made.engine, submit, folders, items) for module, items in by_module.items()}
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulated GitHub; its tests make repositories of their own there, and are marked `network`, for npm installs it."""
    import github_emulator

    if github_emulator.missing():
        pytest.skip(github_emulator.missing())
    try:
        emulator = github_emulator.Emulator(tmp_path_factory.mktemp("github"))
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(str(error))
    yield emulator
    emulator.close()
