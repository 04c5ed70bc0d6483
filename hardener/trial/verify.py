"""`harden verify`: a project tried on the user's engine, as it is and hardened, and backed off where it breaks.

Knows the order of things: who may what was found out by others. Writes nothing to the user's files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from hardener.errors import UsageError
from hardener.pipeline import Request
from hardener.rules import ids
from hardener.trial.candidate import ROOT_USER, Candidate, Control, relaxed
from hardener.trial.compose import Compose, NotBuilt, find_compose
from hardener.trial.conclusion import conclude
from hardener.trial.draft import Draft, Made, Place, controls_of
from hardener.trial.engine import Engine, Facts
from hardener.trial.expect import Moment, expected, unenforced
from hardener.trial.leftovers import Trial, trial
from hardener.trial.observe import Kept
from hardener.trial.probe import Setting
from hardener.trial.project import Project, alone_model, find_project
from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.search import Result, Search
from hardener.trial.stack import COLD, PHASES, RECREATE, Life, Order, Original, Stack
from hardener.trial.steps import Attempt
from hardener.trial.strictest import Seen, strictest
from hardener.trial.verdict import NotExercised, Tried, Verdict
from hardener.trial.watch import Announced, Settings, Watcher

#: Trials of the original that must all do well, and how often at most it is asked when one did not.
_ORIGINALS, _AT_MOST = 2, 3
#: Seconds that a service gets to stop which does not stop by itself: it would only be waited for.
_NO_GRACE = 1.0
#: Trials that are kept for the end: the set that was found once more, and over the data of the original.
_RESERVE = 1.6


def verify(settings: Settings, watcher: Watcher) -> Verdict:
    """Try the project of a folder. Raises `UsageError`, and `TrialError` where no trial can be made or the engine is lost."""
    compose = find_compose(settings.compose)
    engine = Engine()
    facts = engine.facts()
    ignore = settings.ignore | frozenset(ids("silence"))  # a trial is about what runs, and no comment does
    request = Request((), unsafe=True, select=settings.select, ignore=ignore, policy=settings.policy, engine=facts.text)
    project = find_project(settings.path, settings.files, compose, request)
    if project.troubles and not project.services and not project.alone:
        first = project.troubles[0]
        raise UsageError(f"{first.path}{f':{first.line}' if first.line else ''}: {first.reason}")
    with trial(engine, is_snap=facts.is_snap) as started:
        session = _Session(settings, watcher, compose, engine, facts, project, request, started)
        return session.run()


class _Session:
    """One project's trials."""

    def __init__(
        self,
        settings: Settings,
        watcher: Watcher,
        compose: Compose,
        engine: Engine,
        facts: Facts,
        project: Project,
        request: Request,
        started: Trial,
    ) -> None:
        self._settings = settings
        self._watcher = watcher
        self._engine = engine
        self._facts = facts
        self._compose = compose
        self._project = project
        self._request = request
        self._trial = started
        self._end = time.monotonic() + settings.budget
        self._tried: list[Tried] = []
        self._longest = 0.0
        self._original: Original | None = None
        #: By service and mount, what the original leaves; and what of it has to change hands.
        self._left_behind: dict[str, Mapping[str, Kept]] = {}
        self._existing: tuple[Order, ...] = ()
        self._unmet: tuple[Complaint, ...] = ()
        self._unenforced: tuple[tuple[str, str], ...] = ()
        self._draft = self._prepare()
        setting = Setting(self._place.folder, started.project, self._draft.file, ())
        self._stack = Stack(engine, facts, compose, setting, settings.probes, self._remaining, watcher.phase)

    def _prepare(self) -> Draft:
        from hardener.trial.copy import make_copy
        from hardener.trial.host import Names

        project, folder = self._project, self._trial.folder
        copy = make_copy(project.root, os.path.join(folder, "copy"))
        self._left_out = copy.left_out

        def there(path: str) -> str:
            return os.path.normpath(os.path.join(copy.root, os.path.relpath(path, project.root)))

        self._place = Place(
            folder=there(project.folder),
            compose_files=tuple(map(there, project.compose_files)),
            found=tuple(one._replace(location=there(os.path.realpath(one.location)), within=copy.root) for one in project.found),
            builders=project.builders,
        )
        if project.alone:
            name = os.path.join(self._place.folder, "compose.yaml")
            self._place = self._place._replace(compose_files=(name,))
            for at in (copy.root, copy.pristine):
                path = os.path.join(at, os.path.relpath(name, copy.root))
                with open(path, "w", encoding="utf-8") as file:
                    file.write(alone_model(project.alone))
        labels = dict(self._trial.labels)
        names = Names(copy.root, project.root, os.path.join(folder, "stand-ins"), self._trial.project, labels, "original")
        return Draft(
            self._engine,
            self._compose,
            copy,
            self._place,
            names,
            self._request,
            self._remaining,
            claims=self._trial.claims,
            allow_socket=self._settings.allow_socket,
        )

    def _remaining(self) -> float:
        return self._end - time.monotonic()

    def run(self) -> Verdict:
        """Try it."""
        made = self._draft.original()
        if made.model.sockets and not self._settings.allow_socket:
            service, source = made.model.sockets[0]
            raise UsageError(
                f"{service} mounts the engine's socket ({source}), with which it could do anything to your other containers: "
                "if that is all right, say --allow-socket"
            )
        self._announce(made)
        lives, stopped = self._originals()
        if stopped:
            return self._verdict(made)._replace(stopped=stopped)
        self._original = _original(lives)
        candidate = self._without_migrations(self._strictest(made, lives))
        result = Search(self._attempt, self._has_time, asked=bool(self._settings.probes)).run(candidate)
        if result.works and result.last is not None and result.last.controls:
            result = self._over_existing_data(result)
        verdict = self._verdict(made)
        result = result._replace(candidate=self._draft.as_tried(result.candidate))
        return conclude(verdict, result, self._project, self._request, self._draft, self._existing, self._unmet)

    def _verdict(self, made: Made) -> Verdict:
        """All that can be said whatever the search finds."""
        left_out = [NotExercised("", f"{one.path}: {one.why}") for one in self._left_out]
        if not self._settings.probes:
            left_out.insert(0, NotExercised("", "what it does when it is used: nobody asked it, for want of a --probe"))
        return Verdict(
            tried=tuple(self._tried),
            unenforced=self._unenforced,
            not_exercised=(*(NotExercised(*note) for note in made.model.not_exercised), *left_out),
        )

    def _announce(self, made: Made) -> None:
        from hardener.trial.reach import env_hints

        services = made.model.document.get("services") or {}
        names = tuple(services)
        self._watcher.announce(
            Announced(
                self._facts,
                self._compose,
                names,
                tuple(made.model.images),
                tuple(env_hints(self._project.folder, names)),
                tuple(NotExercised(*note) for note in made.model.shared),
            )
        )

    # The original.

    def _originals(self) -> tuple[list[Life], str]:
        """The lives of the original, or why they are no measure."""
        self._draft.bring()
        good: list[Life] = []
        bad: list[Life] = []
        while len(good) < _ORIGINALS:
            if good or bad:
                self._draft.original()
            life = self._lead(f"the original, {['first', 'second', 'third'][len(good) + len(bad)]} time", None, observe=True)
            (bad if life.failed else good).append(life)
            self._draft.grace |= dict.fromkeys(life.killed, _NO_GRACE)
            if bad and not good:
                return [], f"the project as it is does not work: {_told(life)}"
            if len(bad) > 1 or (len(good) < _ORIGINALS and len(good) + len(bad) == _AT_MOST):
                break
            if self._remaining() < self._longest:
                took = f"one took {self._longest:.0f} s"
                return [], f"the budget is too short for two runs of the project as it is ({took}): give more with --budget"
        if bad:
            runs = len(good) + len(bad)
            return [], f"the project is flaky as it is: it did well {len(good)} of {runs} times, and else: {_told(bad[0])}"
        return good, ""

    def _strictest(self, made: Made, lives: Sequence[Life]) -> Candidate:
        writes = {service: found for life in lives for service, found in life.writes.items()}
        self._draft.written = writes
        report = self._draft.judge(Candidate())
        fixed: dict[str, set[str]] = {}
        for (service, rule), _ in controls_of(report, self._project.builders):
            fixed.setdefault(service, set()).add(rule)
        services = made.model.document.get("services") or {}
        seen = {}
        for service, one in services.items():
            moments = [moment for life in lives for moment in life.moments if service in moment.sights]
            sights = [moment.sights[service] for moment in moments]
            self._left_behind[service] = _kept(moments, service)
            seen[service] = Seen(
                user=self._draft.starts_as(one),
                unprivileged=frozenset.intersection(*(sight.unprivileged for sight in sights)) if sights else frozenset(),
                writes=writes.get(service, Seen().writes),
                memory=max((sight.memory for sight in sights), default=0),
                pids=max((sight.pids for sight in sights), default=0),
            )
        candidate = strictest(
            {name: found for name, found in self._project.services.items() if name in services},
            {service: frozenset(rules) for service, rules in fixed.items()},
            seen,
            unsafe=self._settings.unsafe,
            asked=bool(self._settings.probes),
        )
        impossible = {(service, rule): why for rule, why in self._facts.impossible().items() for service in services}
        return candidate.leaving_out(impossible)

    def _without_migrations(self, candidate: Candidate) -> Candidate:
        """Without the fixes for which existing data would have to change hands, where these were not asked for."""
        if self._settings.unsafe:
            return candidate
        report = self._draft.judge(candidate)
        orders = {o.finding.identity: o.finding.fix.migration for o in report.outcomes if o.finding.fix is not None}
        out: dict[Control, str] = {}
        for control, identity in controls_of(report, self._project.builders):
            if orders.get(identity):
                out[control] = f"existing data would have to change hands ({orders[identity]}); --unsafe-fixes tries it"
        for (service, rule), why in out.items():
            written = self._draft.written.get(service, Seen().writes).folders
            candidate = relaxed(candidate, Remedy(service, "without", rule, why), Standing(written=written))
        return candidate

    # Lives.

    def _lead(self, what: str, original: Original | None, phases: Sequence[str] = PHASES, *, observe: bool = False) -> Life:
        self._watcher.begin(what, self._remaining())
        try:
            life = self._stack.lead(original, phases, observe=observe)
        finally:
            if phases == PHASES:
                self._stack.down()
        self._longest = max(self._longest, life.seconds if not life.failed else 0.0)
        self._note(what, life)
        return life

    def _note(self, what: str, life: Life) -> None:
        tried = Tried(what, life.failed, life.complaints, life.starts, life.seconds)
        self._tried.append(tried)
        self._watcher.end(tried)
        if self._settings.keep_logs and life.failed:
            _keep(self._settings.keep_logs, len(self._tried), what, life)

    def _has_time(self, trials: int) -> bool:
        return self._remaining() > (trials + _RESERVE) * self._longest

    def _attempt(self, candidate: Candidate, what: str) -> Attempt:
        try:
            made = self._draft.hardened(candidate)
        except NotBuilt as error:
            return self._unbuilt(candidate, what, str(error))
        life = self._lead(what, self._original)
        self._unenforced = unenforced(life.moments[-1], made.standings)
        return Attempt(life.complaints, life.noises, made.standings, made.controls, life.failed)

    def _unbuilt(self, candidate: Candidate, what: str, why: str) -> Attempt:
        """A candidate that cannot even be built: without symptoms, so that its Dockerfiles are taken back."""
        self._watcher.begin(what, self._remaining())
        complaint = Complaint("", Kind.START, why)
        tried = Tried(what, "build", (complaint,), 0, 0.0)
        self._tried.append(tried)
        self._watcher.end(tried)
        controls = frozenset(control for control, _ in controls_of(self._draft.judge(candidate), self._project.builders))
        built = {service for services in self._project.builders.values() for service in services}
        guilty = frozenset(control for control in controls if control[0] in built)
        return Attempt((complaint,), (), {service: Standing() for service in built}, guilty, "build")

    # Over existing data.

    def _over_existing_data(self, result: Result) -> Result:
        """The result, where it also works over what the original has left on its volumes; else what does."""
        assert self._original is not None
        keeps = any(one.names for services in self._original.expected.values() for one in services.values())
        if not (keeps and self._has_time(0)):
            return result
        over = self._attempt_over_data(result.candidate, "over the data of the original")
        if over.works:
            return result
        # What lies in the project's own folders is its author's: it changes hands only where nothing less will do.
        for kinds in (("volume",), ("volume", "bind")) if self._settings.unsafe else ():
            orders = self._orders(over, kinds)
            if orders and self._has_time(0):
                handed = self._attempt_over_data(result.candidate, "over that data, handed over", orders)
                if handed.works:
                    self._existing = orders
                    return result
        if not self._has_time(2):
            # Who asked for fixes that existing data may not bear gets them, and is told.
            self._unmet = over.complaints
            return result if self._settings.unsafe else result._replace(works=False, last=over)
        again = Search(self._attempt_over_data, self._has_time, asked=bool(self._settings.probes)).run(result.candidate)
        if again.works:
            fresh = self._attempt(again.candidate, "the same on empty volumes")
            again = again._replace(works=fresh.works, last=fresh)
        return again._replace(steps=(*result.steps, *again.steps), flaky=(*result.flaky, *again.flaky))

    def _attempt_over_data(self, candidate: Candidate, what: str, orders: Sequence[Order] = ()) -> Attempt:
        """How a candidate does that begins with the volumes of the original, after these have been handed over."""
        assert self._original is not None
        try:
            self._draft.original()
            life = self._lead("the original, to leave data behind", self._original, (COLD,))
            if life.failed:
                return Attempt(life.complaints, phase=life.failed)
            made = self._draft.hardened(candidate, fresh=False)
            for order in orders:
                self._stack.hand_over(order)
            life = self._lead(what, self._original.over_data(), (RECREATE,))
            return Attempt(life.complaints, (), made.standings, made.controls, life.failed)
        finally:
            self._stack.down()

    def _orders(self, over: Attempt, kinds: Sequence[str]) -> tuple[Order, ...]:
        """What has to change hands: data of others on the volumes of services that run as somebody else now."""
        found = []
        for service, rule in sorted(over.controls):
            standing = over.standings.get(service)
            if rule == ROOT_USER and standing is not None and standing.user:
                uid = int(standing.user.partition(":")[0])
                kept = self._left_behind.get(service, {})
                targets = tuple(sorted(target for target, what in kept.items() if what.kind in kinds and what.owners - {uid}))
                found += [Order(service, standing.user, targets)] if targets else []
        return tuple(found)


def _original(lives: Sequence[Life]) -> Original:
    by_phase: dict[str, list[Moment]] = {}
    for life in lives:
        for moment in life.moments:
            by_phase.setdefault(moment.phase, []).append(moment)
    waits = {phase: max(life.waits.get(phase, 0.0) for life in lives) for phase in by_phase}
    logs: dict[str, list[Sequence[str]]] = {}
    for life in lives:
        for service, lines in life.logs.items():
            logs.setdefault(service, []).append(lines)
    return Original({phase: expected(moments) for phase, moments in by_phase.items()}, waits, logs)


def _kept(moments: Sequence[Moment], service: str) -> Mapping[str, Kept]:
    return {target: kept for moment in moments for (name, target), kept in moment.kept.items() if name == service}


def _told(life: Life) -> str:
    first = life.complaints[0]
    who = f"{first.service} " if first.service else ""
    return f"{who}{first.text} (phase {life.failed})"


def _keep(folder: str, number: int, what: str, life: Life) -> None:
    """Write what a failed life printed to a folder of the user's."""
    name = "".join(letter if letter.isalnum() else "-" for letter in what)[:60].strip("-")
    os.makedirs(folder, exist_ok=True)
    for service, lines in life.logs.items():
        if not lines:
            continue
        with open(os.path.join(folder, f"{number:02}-{name}-{service}.log"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
