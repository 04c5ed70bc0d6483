"""Whether a finding is silenced, by whom and why: asked of comments, then the configuration, then a baseline.

Knows the findings of one group of files, pass after pass; makes none itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from hardener.facts.silence import Silence
from hardener.finding import Finding, Rule
from hardener.report import IN_BASELINE
from hardener.silence.scope import Covering, Index, coverings

if TYPE_CHECKING:
    from datetime import date

    from hardener.group import Group
    from hardener.policy import Policy
    from hardener.silence.baseline import Baseline


class _Read:
    """The comments of one text."""

    __slots__ = ("covering", "index", "source")

    def __init__(self, source: Any, tree: Any, today: tuple[int, int, int]) -> None:
        self.source = source
        self.covering: tuple[Covering, ...] = coverings(source, tree, today)
        self.index = Index(self.covering, lambda silence: not silence.mistake and not silence.expired)


class Silences:
    """All that may silence a finding of a group.

    `rules` are those that are asked, by id, and may be more than those whose findings are wanted: whether a comment is needed
    can only be told by the rules that it names. `about` are those about comments. `today` is the day for which last days count;
    `writes`, whether comments can be changed at all.
    """

    def __init__(
        self,
        policy: Policy,
        baseline: Baseline | None,
        rules: Mapping[str, Rule],
        about: Mapping[str, Rule],
        today: date | None = None,
        *,
        writes: bool = True,
    ) -> None:
        from datetime import date

        today = today or date.today()
        self.rules = rules
        self.about = about
        self._today = today.year, today.month, today.day
        self._waivers = None
        if policy.waivers:
            from hardener.silence.waivers import Waivers

            self._waivers = Waivers(policy.waivers, policy.folder, today)
        self._baseline = baseline
        self._in_baseline = f"{IN_BASELINE}{baseline.path}" if baseline is not None else ""
        self._writes = writes
        self._read: dict[str, _Read] = {}
        #: What was silenced when it was last asked, with by whom and why.
        self.silenced: list[tuple[Finding, str]] = []
        #: Which comments silenced something, for which rule, since `forget`.
        self._used: set[tuple[str, str]] = set()

    def without_about(self) -> Silences:
        """The same, and what it finds out about which comments are needed counts here too; but without rules about comments."""
        other = copy(self)
        other.about = {}
        return other

    def left(self, group: Group, found: Iterable[tuple[Any, Finding]]) -> list[Finding]:
        """The findings that nothing silences, of those with their subjects; the others are in `silenced`."""
        self.silenced = []
        reads = {path: read for path, read in self._comments(group).items() if read.covering}
        left = []
        known = frozenset[int]()
        if self._baseline is not None:
            found = list(found)
            known = self._baseline.known(finding for _, finding in found)
        for subject, finding in found:
            silence = self._comment_on(reads, subject, finding) if reads else None
            if silence is not None:
                self._used.add((silence.key, finding.rule))
                why = f'{silence.source}: "{silence.reason}"'
            else:
                why = self._decided(subject, finding)
                if not why and id(finding) in known:
                    why = self._in_baseline
            if why:
                self.silenced.append((finding, why))
            else:
                left.append(finding)
        return left

    def _decided(self, subject: Any, finding: Finding) -> str:
        if self._waivers is None:
            return ""
        rule = self.rules.get(finding.rule) or self.about[finding.rule]
        waiver = self._waivers.find(subject, finding, rule.severity)
        return f'{waiver.source}: "{waiver.reason}"' if waiver is not None else ""

    def _comment_on(self, reads: Mapping[str, _Read], subject: Any, finding: Finding) -> Silence | None:
        places = [finding.place]
        if finding.subject == subject.subject:
            places += subject.homes
        for place in places:
            read = reads.get(place.path)
            silence = read.index.find(finding.rule, (place.line, place.column)) if read is not None else None
            if silence is not None:
                return silence
        return None

    def _comments(self, group: Group) -> Mapping[str, _Read]:
        now: dict[str, _Read] = {}
        for file in group.read:
            path = file.source.path
            known = self._read.get(path)
            now[path] = known if known is not None and known.source is file.source else _Read(file.source, file.tree, self._today)
        self._read |= now
        return now

    # What is said about the comments themselves.

    def forget(self) -> None:
        """Forget which comments silenced something."""
        self._used.clear()

    def idle(self, group: Group) -> bool:
        """Whether a comment has not silenced anything yet of a rule that was asked."""
        return any(silence.unused and not silence.mistake and not silence.expired for silence in self._comments_of(group))

    def findings(self, group: Group, original: Group) -> list[Finding]:
        """What is found about the comments of a group, at their places in the original text, and is not silenced itself."""
        places = {silence.key: silence.place for silence in self._comments_of(original)}
        checks = [check for rule in self.about.values() if (check := rule.check("silence")) is not None]
        said = []
        for silence in self._comments_of(group) if checks else ():
            silence = silence._replace(place=places.get(silence.key, silence.place))
            said += [(silence, finding) for check in checks for finding in check(silence, None)]
        known = self._baseline.known([finding for _, finding in said]) if self._baseline is not None else frozenset()
        found = []
        for silence, finding in said:
            why = self._decided(silence, finding) or (self._in_baseline if id(finding) in known else "")
            if why:
                self.silenced.append((finding, why))
            else:
                found.append(finding if self._writes else finding._replace(fix=None))
        return found

    def _comments_of(self, group: Group) -> Iterator[Silence]:
        """Each comment of the files that may be edited, with the rules that were asked and for which it was not needed."""
        reads = self._comments(group)
        for file in group.files.values():
            path = file.source.path
            for one in reads[path].covering:
                said = one.silence
                unused = tuple(rule for rule in said.rules if rule in self.rules and (said.key, rule) not in self._used)
                yield said._replace(unused=() if path in group.in_part else unused)
