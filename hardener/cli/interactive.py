"""`--interactive`: each fix is shown, and made only if somebody says so. Knows how to ask, not how a fix is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from hardener.cli.options import Invocation
from hardener.cli.terminal import emit, has_colour, say, width
from hardener.errors import UsageError
from hardener.finding import Finding
from hardener.passes import DECLINED, Reply
from hardener.pipeline import Request
from hardener.plan import Identity
from hardener.render.diff import coloured, unified
from hardener.render.summary import clean, filled
from hardener.report import FileChange, Report
from hardener.source import Source

#: What is said of a fix that came after somebody had quit.
NOT_ASKED = "you quit before it was decided"
_HELP = """y - make this fix
n - do not make it
e - explain the hazard, and what the fix rests on
s - silence it: a comment with your reason is written instead, and harden lets it be from then on
r - make this fix, and all others of this hazard
a - make this fix, and all that follow
q - quit: make neither this fix nor any that follows
? - print help"""


def choose(request: Request, judge: Callable[[Request], Report], invocation: Invocation) -> Report:
    """The report of a run in which each fix was asked about; what is silenced has its comments in the changes."""
    asking = Asking(colour=invocation.color, silences=not invocation.overlay)
    report = judge(request._replace(ask=asking))
    if not asking.reasons:
        return report
    from hardener.ignores import with_silences

    return with_silences(request, report, asking.reasons)


class Asking:
    """Asks about one fix after the other on standard error, and reads the answers from standard input."""

    def __init__(self, read: Callable[[], str] | None = None, colour: str = "auto", *, silences: bool = True) -> None:
        #: What is to be silenced, with the reason.
        self.reasons: dict[Identity, str] = {}
        self._silences = silences
        self._read = read or _line
        self._colour = colour
        self._rules: set[str] = set()
        self._all = self._none = False
        self._file = ""

    def __call__(self, finding: Finding, changed: tuple[tuple[Source, Source], ...]) -> Reply:
        """Whether a fix is to be made."""
        if self._none:
            return Reply(False, NOT_ASKED)
        if self._all or finding.rule in self._rules:
            return Reply(True)
        self._show(finding, changed)
        while True:
            answer = self._answer("Make this fix [y,n,e,s,r,a,q,?]? ").lower()
            if answer in ("y", "r", "a"):
                self._all = answer == "a"
                self._rules |= {finding.rule} if answer == "r" else set()
                return Reply(True)
            if answer in ("n", "q"):
                self._none = answer == "q"
                return Reply(False, NOT_ASKED if self._none else DECLINED)
            if answer == "e":
                self._explain(finding)
            elif answer == "s":
                reason = self._reason()
                if reason:
                    self.reasons[finding.identity] = reason
                    return Reply(False, DECLINED)
            else:
                say(_HELP)

    def _reason(self) -> str:
        """Why a finding is let be; empty where nobody says so."""
        if not self._silences:
            say("An overlay is written beside the files: a comment has no place in it.")
            return ""
        from hardener.silence.add import checked

        reason = self._answer("Why is it let be (one line; until=2027-01-31 may come first; empty: not at all)? ")
        try:
            return checked(reason) if reason else ""
        except UsageError as error:
            say(str(error).removeprefix("--add-ignores").lstrip(": "))
            return ""

    def _answer(self, prompt: str) -> str:
        if sys.stderr is not None:
            emit(self._bold(prompt).encode(), sys.stderr)
        line = self._read()
        if not line:  # the end of the input: as if it were q
            self._none = True
            say("")
            return "q"
        return line.strip()

    def _show(self, finding: Finding, changed: tuple[tuple[Source, Source], ...]) -> None:
        data = unified([FileChange(before, after) for before, after in changed], os.getcwd())
        shown = coloured(data) if self._is_coloured() else data
        # The names of the files once, as `git add -p` does: one hunk after the other is about the same.
        head, at, hunks = shown.partition(b"@@")
        if head == self._file.encode() and len(changed) == 1:
            shown = at + hunks
        self._file = head.decode("utf-8", "replace")
        if sys.stderr is not None:
            emit(b"\n" + shown, sys.stderr)
        place = finding.place
        say(self._bold(clean(f"{finding.rule}: {finding.subject}: {finding.message} ({place.path}:{place.line})")))
        if finding.fix is not None and finding.fix.missing:
            self._fill(f"not known: {finding.fix.missing}")
        if finding.fix is not None and finding.fix.migration:
            self._fill(f"you do: {finding.fix.migration}")

    def _explain(self, finding: Finding) -> None:
        from hardener.cli.known import rule
        from hardener.pages.explanation import explain
        from hardener.render.formats import Run
        from hardener.render.rule_text import render

        say("")
        say(render(explain(rule(finding.rule)), Run(width=width(), colour=self._is_coloured())))
        say("")
        for item in finding.fix.evidence if finding.fix is not None else ():
            self._fill(f"because {item.claim} [{item.source}]")

    def _fill(self, text: str) -> None:
        for line in filled(clean(text), width()):
            say(line)

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._is_coloured() else text

    def _is_coloured(self) -> bool:
        return has_colour(self._colour, sys.stderr)


def _line() -> str:
    try:
        return sys.stdin.readline() if sys.stdin is not None else ""
    except UnicodeDecodeError:  # what is no text is no answer, and what follows it may be none
        return ""
