"""The copy of a project as a candidate has it: files rewritten by the rules, the model for Compose, images built."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hardener import source as text_source
from hardener.discover import DOCKERFILE, Found
from hardener.finding import Finding
from hardener.needs.proven import Proven
from hardener.pipeline import Request, run
from hardener.plan import Identity
from hardener.record import NamedTuple
from hardener.report import Report, Status
from hardener.trial.accounts import starts_as
from hardener.trial.candidate import Candidate, Control
from hardener.trial.compose import Compose, NotBuilt, TrialError, last_words
from hardener.trial.engine import Engine, lost
from hardener.trial.host import Names
from hardener.trial.model import Model, trial_model
from hardener.trial.remedy import Standing
from hardener.trial.writes import Writes

if TYPE_CHECKING:
    from hardener.trial.copy import Copy

#: The file that a trial is brought up by, in the copy.
FILE = "harden-trial.json"
_MIB = 1024 * 1024
_UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "m": _MIB, "mb": _MIB, "g": 1024 * _MIB, "gb": 1024 * _MIB}
_LONGEST_BUILD = 1800.0


class Made(NamedTuple):
    """The copy as it is now."""

    model: Model
    standings: Mapping[str, Standing]
    controls: frozenset[Control]


class Place(NamedTuple):
    """Where a project is: the copy's folder that Compose runs in, and which files it is told to read."""

    folder: str
    compose_files: tuple[str, ...]
    found: tuple[Found, ...]
    #: The services that are built from a Dockerfile, by the name that people know it by.
    builders: Mapping[str, tuple[str, ...]]


class Draft:
    """Makes the copy what a candidate asks for, as often as one is tried."""

    def __init__(
        self,
        engine: Engine,
        compose: Compose,
        copy: Copy,
        place: Place,
        names: Names,
        request: Request,
        remaining: Callable[[], float],
        *,
        claims: Callable[[str, int], bool],
        allow_socket: bool,
    ) -> None:
        self._engine = engine
        self._compose = compose
        self._copy = copy
        self._place = place
        self._names = names
        self._request = request
        self._remaining = remaining
        self._claims = claims
        self._allow_socket = allow_socket
        self._built: set[str] = set()
        self._fits: list[tuple[Candidate, Candidate]] = []
        self._services: Mapping[str, Mapping[str, Any]] = {}
        self._users: dict[tuple[str, str | None], str] = {}
        self._identities: dict[Control, set[Identity]] = {}
        #: Addresses that were free when they were first asked for: from then on they are ours.
        self._ours: set[tuple[str, int]] = set()
        #: What the original wrote, by service; for the owners of what becomes a tmpfs.
        self.written: Mapping[str, Writes] = {}
        #: Seconds to stop for services that do not stop by themselves.
        self.grace: dict[str, float] = {}

    @property
    def file(self) -> str:
        """The file that the stack is brought up by."""
        return os.path.join(self._place.folder, FILE)

    def original(self) -> Made:
        """Bring the copy back to what the project is. Raises `NotBuilt` where that cannot be built."""
        self._copy.restore()
        return self._make(None, fresh=True)

    def hardened(self, candidate: Candidate, *, fresh: bool = True) -> Made:
        """Make the copy what a candidate asks for; `fresh` empties what the project's containers write. Raises `NotBuilt`."""
        if fresh:
            self._copy.restore()
        made = self._make(self.judge(candidate), fresh=fresh)
        fitted = self._fitted(candidate, made)
        if fitted == candidate:
            return made
        self._fits.append((candidate, fitted))
        return self._make(self.judge(fitted), fresh=fresh)

    def judge(self, candidate: Candidate) -> Report:
        """What the rules make of the project's own files for a candidate."""
        for found in self._place.found:
            self._copy.restore(found.location)
        request = asked(self._request, candidate, self._identities)
        report = run(request._replace(files=self._place.found))
        for control, identity in controls_of(report, self._place.builders):
            self._identities.setdefault(control, set()).add(identity)
        return report

    def as_tried(self, candidate: Candidate) -> Candidate:
        """A candidate with what was only known of it when it was built."""
        return next((fitted for tried, fitted in self._fits if tried == candidate), candidate)

    @property
    def identities(self) -> Mapping[Control, set[Identity]]:
        """The findings behind each control that was made so far."""
        return self._identities

    def _make(self, report: Report | None, *, fresh: bool) -> Made:
        """Write what a report changes, nothing for the original, and build it; `fresh` empties what stands in for the host."""
        for change in report.changes if report is not None else ():
            text_source.write(change.location, change.after.to_bytes())
        config = self._compose.model(self._place.folder, self._place.compose_files)
        model = self._model(config)
        self._write_model(model, empty=fresh)
        self._build(model, is_hardened=report is not None)
        controls = frozenset(control for control, _ in controls_of(report or Report(), self._place.builders))
        self._services = services = model.document.get("services") or {}
        standings = {name: self._standing(name, one, controls) for name, one in services.items()}
        return Made(model, standings, controls)

    def _model(self, config: Mapping[str, Any]) -> Model:
        tag = self._tag()
        return trial_model(
            config, self._names._replace(tag=tag), _look, self._is_free, allow_socket=self._allow_socket, grace=self.grace
        )

    def _is_free(self, address: str, port: int) -> bool:
        if (address, port) not in self._ours and not (_is_free(address, port) and self._claims(address, port)):
            return False
        self._ours.add((address, port))
        return True

    def _write_model(self, model: Model, *, empty: bool) -> None:
        import json

        for stand_in in model.stand_ins:
            if empty and os.path.isdir(stand_in.path):
                shutil.rmtree(stand_in.path, ignore_errors=True)
            os.makedirs(os.path.dirname(stand_in.path) if stand_in.is_file else stand_in.path, exist_ok=True)
            if stand_in.is_file:
                with open(stand_in.path, "w" if empty else "a", encoding="utf-8"):
                    pass
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump(model.document, file, indent=1)

    def _tag(self) -> str:
        """What images are called that are built from the Dockerfiles as they are now."""
        texts = []
        for found in self._place.found:
            if found.kind == DOCKERFILE:
                with open(found.location, "rb") as file:
                    texts.append(file.read())
        return hashlib.sha256(b"\0".join(texts)).hexdigest()[:12]

    def _build(self, model: Model, *, is_hardened: bool) -> None:
        """Build what is built here and not there yet, and have what is pulled brought."""
        wanted = set(model.images.values())
        if wanted - self._built:
            done = self._run("build", "--quiet")
            if done.code:
                self._engine.facts()  # where that is lost, nothing is wrong with the project
                what = "the hardened project" if is_hardened else "the project as it is"
                raise NotBuilt(f"{what} does not build: {last_words(done.said, 600)}")
            self._built |= wanted

    def bring(self) -> None:
        """Have the engine pull what it has not got, which may take long. Raises `TrialError`."""
        self._users.clear()  # of an image that was not there, nobody could tell
        done = self._run("create", "--no-build", "--remove-orphans")
        if done.code:
            raise TrialError(f"its containers cannot be made: {last_words(done.said, 600)}")

    def _run(self, *arguments: str) -> Any:
        seconds = max(60.0, min(self._remaining(), _LONGEST_BUILD))
        at = ("--project-name", self._names.project, "--file", self.file)
        return self._compose(*at, *arguments, folder=self._place.folder, seconds=seconds)

    def _standing(self, name: str, one: Mapping[str, Any], controls: frozenset[Control]) -> Standing:
        dropped = {str(item).upper() for item in one.get("cap_drop") or ()}
        added = frozenset(str(item).upper().removeprefix("CAP_") for item in one.get("cap_add") or ())
        mounts = frozenset(str(mount.get("target", "")) for mount in one.get("volumes") or ())
        limits = ((one.get("deploy") or {}).get("resources") or {}).get("limits") or {}
        memory = _bytes(one.get("mem_limit") or limits.get("memory") or 0)
        written = self.written.get(name, Writes({}))
        return Standing(
            fixes=frozenset(rule for service, rule in controls if service == name),
            user=self.starts_as(one),
            capabilities=added if "ALL" in dropped else None,
            read_only=bool(one.get("read_only")),
            tmpfs=dict(_tmpfs(item) for item in one.get("tmpfs") or ()),
            mounts=mounts,
            written=written.folders,
            memory=memory // _MIB or None,
        )

    @property
    def digests(self) -> Mapping[str, str]:
        """By service, what the engine calls the images that were pulled."""
        import docker.errors

        found = {}
        for name, one in self._services.items():
            if not one.get("build"):
                with lost():
                    try:
                        told = self._engine.client.api.inspect_image(str(one.get("image")))
                    except docker.errors.APIError:
                        continue
                repository = next(iter(told.get("RepoDigests") or ()), "")
                found[name] = repository.partition("@")[2] or str(told.get("Id", ""))
        return found

    def starts_as(self, one: Mapping[str, Any]) -> str:
        """Whom a service of the model starts as, `uid:gid`; empty for root."""
        user = str(one["user"]) if one.get("user") else None
        key = (str(one.get("image") or ""), user)
        if key not in self._users:
            self._users[key] = starts_as(self._engine, key[0], user, self._names.labels)
        return self._users[key]

    def _fitted(self, candidate: Candidate, made: Made) -> Candidate:
        """The candidate with each tmpfs the property of whom the image starts as, which is known only once it is built."""
        for name, proven in candidate.proven.items():
            user = made.standings[name].user if name in made.standings else ""
            if user and not proven.user:
                owners = {path: user + owner[len(owner.partition(",")[0]) :] for path, owner in proven.tmpfs.items()}
                candidate = candidate.giving(name, proven._replace(tmpfs=owners)) if owners != proven.tmpfs else candidate
        return candidate


def asked(request: Request, candidate: Candidate, identities: Mapping[Control, set[Identity]]) -> Request:
    """The request that makes the files what a candidate asks for."""
    proven = dict(candidate.proven)
    withheld: dict[Identity, str] = {}
    for (service, rule), why in candidate.without.items():
        now = proven.get(service, Proven())
        proven[service] = now._replace(failed={**now.failed, rule: why})
        withheld |= dict.fromkeys(identities.get((service, rule), ()), why)
    return request._replace(unsafe=True, proven=proven, withheld=withheld)


def controls_of(report: Report, builders: Mapping[str, Sequence[str]]) -> list[tuple[Control, Identity]]:
    """The controls that a report makes, with the finding of each."""
    made = [outcome.finding for outcome in report.outcomes if outcome.status is Status.APPLIED]
    return [(control, finding.identity) for finding in made for control in controls_behind(finding, builders)]


def controls_behind(finding: Finding, builders: Mapping[str, Sequence[str]]) -> Iterator[Control]:
    """The controls that a finding stands for: a Dockerfile's is about every service that is built from it."""
    for service in builders.get(finding.place.path, (finding.subject,)):
        yield service, finding.rule


def _tmpfs(item: object) -> tuple[str, str]:
    path, _, options = str(item).partition(":")
    told = dict(option.partition("=")[::2] for option in options.split(","))
    return path, f"{told.get('uid', '0')}:{told.get('gid', '0')}{',exec' if 'exec' in told else ''}"


def _bytes(amount: object) -> int:
    text = str(amount).strip().lower()
    number = text.rstrip("kmgb")
    try:
        return int(float(number) * _UNITS.get(text[len(number) :], 1))
    except ValueError:
        return 0


def _look(path: str) -> str:
    return "folder" if os.path.isdir(path) else "file" if os.path.exists(path) else ""


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as asked:
            try:
                if kind == socket.SOCK_STREAM:
                    asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                asked.bind((address, port))
            except OSError:
                return False
    return True
