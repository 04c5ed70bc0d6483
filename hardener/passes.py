"""Pass after pass over one group of files: judge, plan, change, prove, until nothing changes. Knows neither disk nor output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from hardener.errors import CannotWrite, HardenError
from hardener.finding import Applicability, Finding, Rule, Severity
from hardener.plan import Choice, Identity, Plan, make_plan
from hardener.proof import apply, syntax_of
from hardener.record import NamedTuple
from hardener.report import Outcome, Status, Trouble
from hardener.source import Source

if TYPE_CHECKING:
    from hardener.group import Group
    from hardener.silence.silences import Silences
    from hardener.trace import Trace

#: Passes to a fixed point; what still changes after these is not written.
MAX_PASSES = 10


#: What is said of a fix that somebody did not want.
DECLINED = "you said no"


class Reply(NamedTuple):
    """What somebody says to a fix: that it is to be made, or why not."""

    made: bool
    why_not: str = ""


#: Asks somebody whether a fix is to be made: the finding, and each file that it changes, as it is by now and as it would be.
Ask = Callable[[Finding, tuple[tuple[Source, Source], ...]], Reply]


class Passes:
    """One group on its way to the fixed point. `silences` where there may be something that silences its findings."""

    def __init__(
        self,
        group: Group,
        rules: dict[str, Rule],
        threshold: Applicability,
        withheld: Mapping[Identity, str],
        silences: Silences | None = None,
        trace: Trace | None = None,
        ask: Ask | None = None,
    ) -> None:
        self.group = group
        self._trace = trace
        self._ask = ask
        self.troubles: list[Trouble] = []
        self._rules = rules
        asked = rules if silences is None else silences.rules
        self._checks = [(rule.id, check) for rule in asked.values() if (check := rule.check(group.sees)) is not None]
        self._threshold = threshold
        self._withheld = withheld
        self._silences = silences
        #: What was silenced in the original text, and what is now.
        self._silenced: tuple[list[tuple[Finding, str]], ...] = ([], [])
        self._original = group
        self._blocked: dict[Identity, str] = {}
        self._refused: dict[Identity, str] = {}
        self._first: dict[Identity, Finding] = {}
        self._applied: dict[Identity, Finding] = {}
        #: Of the applied ones, those that change nothing themselves.
        self._inherits: set[Identity] = set()
        self._plan = Plan((), ())
        self._findings: list[Finding] = []

    def to_fixed_point(self) -> None:
        """Pass after pass, until there is nothing left to change."""
        self._findings = self._check(self.group)
        if self._silences is not None:
            self._silenced = self._silences.silenced, self._silences.silenced
        for number in range(1, MAX_PASSES + 1):
            findings = self._findings
            for finding in findings:
                self._first.setdefault(finding.identity, finding)
            self._plan = make_plan(findings, self._rules, self._threshold, self._blocked)
            if self._trace is not None:
                self._trace.planned(number, findings, self._plan)
            if not any(choice.changes for choice in self._plan.choices):
                if self._silences is not None:
                    self._tidy(self._silences)
                return
            self.group = self._next(findings)
        self.group = self._original
        self._applied.clear()
        path = self._original.name
        self.troubles.append(
            Trouble(path, 0, f"still changing after {MAX_PASSES} passes; left as it was", "please report this file")
        )

    def _check(self, group: Group) -> list[Finding]:
        found = (
            (subject, self._allowed(finding, needs.failed))
            for subject, needs in (group.judged() if self._trace is None else self._trace.each("facts and needs", group.judged()))
            for rule, check in self._checks
            for finding in (check(subject, needs) if self._trace is None else self._trace.asked(rule, check, subject, needs))
        )
        if self._silences is None:
            return [finding for _, finding in found]
        return [finding for finding in self._silences.left(group, found) if finding.rule in self._rules]

    def _tidy(self, silences: Silences) -> None:
        """Once nothing else changes: what is found about the comments that silence findings, and its repair.

        A comment is needed, too, where it only silences something once the fixes that are held back are made.
        """
        silences.forget()
        self._check(self.group)
        if silences.about and silences.idle(self.group) and self._threshold is Applicability.SAFE:
            Passes(self.group, self._rules, Applicability.UNSAFE, self._withheld, silences.without_about()).to_fixed_point()
        about = silences.findings(self.group, self._original)
        self._silenced = self._silenced[0], silences.silenced
        for finding in about:
            self._first.setdefault(finding.identity, finding)
        plan = make_plan(about, self._rules, self._threshold, self._blocked)
        others = (*self._plan.others, *plan.others)
        known = {finding.identity for finding in self._findings}
        together = [plan.choices] if self._ask is None else [(choice,) for choice in plan.choices]
        for choices in filter(None, together):
            try:
                after = self._attempt(self.group, choices, known)
                if self._ask is None or self._is_wanted(choices[0], self.group, after):
                    self.group = after
                    self._record(choices)
                    continue
                status, why = Status.REFUSED, self._refused[choices[0].finding.identity]
            except HardenError as error:
                status, why = Status.FAILED, getattr(error, "reason", str(error))
            others += tuple((choice.finding, status, why) for choice in choices)
        self._plan = Plan((), others)

    def _allowed(self, finding: Finding, failed: Mapping[str, str]) -> Finding:
        """A finding without its fix, where that is withheld or failed in a run."""
        if finding.identity in self._withheld:
            reason = self._withheld[finding.identity]
        elif finding.rule in failed:
            seen = failed[finding.rule]
            reason = f"it failed in a run: {seen}" if seen else "it failed in a run"
        else:
            return finding
        return finding._replace(fix=None, refusal=reason) if finding.fix or not finding.refusal else finding

    def _next(self, findings: list[Finding]) -> Group:
        """The group after this pass: with all chosen fixes, or, where their proof fails, with each that passes alone."""
        known = {finding.identity for finding in findings}
        if self._ask is not None:
            changed = self._one_by_one(known)
            self._findings = self._check(changed)
            return changed
        try:
            changed = self._attempt(self.group, self._plan.choices, known)
        except HardenError:
            changed = self._one_by_one(known)
            self._findings = self._check(changed)
        else:
            self._record(self._plan.choices)
        return changed

    def _record(self, choices: tuple[Choice, ...]) -> None:
        self._applied |= {choice.finding.identity: choice.finding for choice in choices}
        self._inherits |= {choice.finding.identity for choice in choices if not choice.changes}

    def _one_by_one(self, known: set[Identity]) -> Group:
        """Make the fixes of each hazard together, or else singly, and block those that fail even after all others.

        Where somebody is asked, each is made singly, and asked about as it would be after those that were made.
        """
        group = self.group
        # Whoever is asked reads from the top of a file to its end.
        waiting = [] if self._ask is None else sorted(self._plan.choices, key=lambda choice: choice.finding.place)
        for rule in dict.fromkeys(choice.finding.rule for choice in self._plan.choices if self._ask is None):
            together = tuple(choice for choice in self._plan.choices if choice.finding.rule == rule)
            try:
                group = self._attempt(group, together, known)
                self._record(together)
                known = known | {finding.identity for finding in self._findings}  # what it revealed, the next does not bring
            except HardenError:
                waiting += together
        failed: dict[Identity, HardenError] = {}
        progress = True
        while progress:
            progress = False
            for choice in tuple(waiting):  # one fix may only work after another, whose text it inherits
                try:
                    after = self._attempt(group, (choice,), known)
                except HardenError as error:
                    failed[choice.finding.identity] = error
                else:
                    progress = True
                    waiting.remove(choice)
                    if not self._is_wanted(choice, group, after):
                        continue
                    group = after
                    self._record((choice,))
                    known = known | {finding.identity for finding in self._findings}
        for choice in waiting:
            cause = failed[choice.finding.identity]
            self._blocked[choice.finding.identity] = getattr(cause, "reason", str(cause))
            if isinstance(cause, CannotWrite):
                self._refused[choice.finding.identity] = cause.reason
        return group

    def _is_wanted(self, choice: Choice, group: Group, after: Group) -> bool:
        """Whether a fix is to be made, where somebody is asked; what is declined stays so in later passes."""
        if self._ask is None:
            return True
        changed = tuple((before, now) for _, before, now in self._between(group, after))
        if not changed:  # another would write it too: whether that was made, the next pass sees
            return not any(finding.identity == choice.finding.identity for finding in self._check(group))
        reply = self._ask(choice.finding, changed)
        if not reply.made:
            self._blocked[choice.finding.identity] = self._refused[choice.finding.identity] = reply.why_not
        return reply.made

    def _attempt(self, group: Group, choices: tuple[Choice, ...], known: set[Identity]) -> Group:
        """The group with these fixes. Raises when one cannot be written or does not do exactly what it should."""
        changes = [change for choice in choices for change in choice.changes]
        files = {file.source.path: (file.source, file.tree) for file in group.files.values()}
        if self._trace is None:
            after = group.changed(apply(files, syntax_of(group.sees), changes))
        else:
            after = self._trace.spent("splice", lambda: group.changed(apply(files, syntax_of(group.sees), changes)))
        problem = group.weaker(after)
        self._findings = self._check(after)
        left = {finding.identity: finding for finding in self._findings}
        for choice in choices:
            remaining = left.get(choice.finding.identity)
            if remaining is not None and choice.changes:
                problem = problem or f"{choice.finding.rule} is still there after its fix"
        new = next(
            (finding for identity, finding in left.items() if identity not in known and not self._revealed(finding, choices)),
            None,
        )
        if new is not None:
            problem = problem or f"{new.rule} appeared in {new.subject}"
        if self._silences is not None:
            problem = problem or self._newly_silenced(known)
        if problem:
            raise Unproven(problem)
        return after

    def _newly_silenced(self, known: set[Identity]) -> str:
        """What a fix has moved under a silence that was not meant for it; empty for nothing."""
        assert self._silences is not None
        before = {finding.identity for finding, _ in (*self._silenced[0], *self._silenced[1])}
        moved = (finding for finding, _ in self._silences.silenced if finding.identity in known - before)
        return next((f"a silence would hold for {finding.rule} in {finding.subject} too" for finding in moved), "")

    def _revealed(self, new: Finding, choices: tuple[Choice, ...]) -> bool:
        """Whether a hazard was there before and only hidden by a worse one: `privileged` overrides dropped capabilities."""
        severity = self._rules[new.rule].severity
        fixed = (choice.finding for choice in choices if choice.finding.subject == new.subject)
        return any(self._rules[old.rule].severity >= severity for old in fixed)

    def outcomes(self) -> Iterator[Outcome]:
        """How every finding ended, with the places of the original text."""
        severity = {rule.id: rule.severity for rule in self._rules.values()}
        others = {shown(self._first.get(finding.identity, finding)) for finding, _, _ in self._plan.others}
        for identity, finding in self._applied.items():
            if identity in self._inherits and shown(self._first.get(identity, finding)) in others:
                continue  # the same service, judged without the file below it, ended otherwise: that is what is to be said
            yield Outcome(self._told(finding), Status.APPLIED, severity[finding.rule])
        for finding, status, why in self._plan.others:
            if finding.identity in self._applied:
                continue
            if finding.identity in self._refused:
                status, why = Status.REFUSED, self._refused[finding.identity]
            yield Outcome(self._told(finding), status, severity.get(finding.rule, Severity.LOW), why)
        before, after = self._silenced
        known = {finding.identity for finding, _ in before}
        for finding, why in (*before, *(item for item in after if item[0].identity not in known)):
            if finding.rule in self._rules:
                yield Outcome(finding, Status.SILENCED, severity[finding.rule], why)

    def _told(self, finding: Finding) -> Finding:
        """A finding as it ended, at its place in the original text: another fix may have changed what is needed meanwhile."""
        return finding._replace(place=self._first.get(finding.identity, finding).place)

    def changed(self) -> Iterator[tuple[str, Source, Source]]:
        """The files that differ: location, before and after."""
        return self._between(self._original, self.group)

    def alone(self, told: Finding) -> tuple[tuple[str, Source, Source], ...]:
        """What the fix of one finding changes in the files as they are; nothing where it takes another fix before it."""
        finding = self._first.get(told.identity)
        if finding is None or finding.fix is None:
            return ()
        plan = make_plan((finding,), self._rules, Applicability.UNSAFE, {})
        try:
            after = self._attempt(self._original, plan.choices, set(self._first)) if plan.choices else self._original
        except HardenError:
            return ()
        return tuple(self._between(self._original, after))

    @staticmethod
    def _between(before: Group, changed: Group) -> Iterator[tuple[str, Source, Source]]:
        for location, file in before.files.items():
            after = changed.files[location].source
            if after.text != file.source.text:
                yield location, file.source, after


def shown(finding: Finding) -> tuple[object, ...]:
    """What makes two findings one for people: the hazard, where it stands, and whose it is."""
    return finding.rule, finding.place, finding.subject


class Unproven(HardenError):
    """A fix did not do exactly what it should; it is taken back."""
