"""Reports in which every word that a repository can say is hostile, and the same with plain words. Knows no form."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from hardener.finding import Evidence, Finding, Fix, Place, Severity, Strength
from hardener.posture import QUESTIONS, Answer, Posture
from hardener.report import FileChange, Outcome, Report, Status, Trouble
from hardener.source import Source

#: What makes markup, links, mentions, orders to a runner, or steers a terminal.
NASTY = (
    *("`", "``", "```", "~~~", "|", "\\|", "\\", "*", "**", "_", "~~", "<", ">", "&", '"', "'", "[x](http://evil.example)"),
    *("![i](x)", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</details>", "</code>", "</summary>", "<!--"),
    *(
        "-->",
        "]]>",
        "javascript:alert(1)",
        "http://evil.example",
        "www.evil.example",
        "a@evil.example",
        "@everyone",
        "#1",
        "GH-1",
    ),
    *(
        "evil/repo#1",
        "evil/repo@0123456789abcdef0123456789abcdef01234567",
        "0123456789abcdef0123456789abcdef01234567",
        "!1",
        "$1",
    ),
    *("%1", ":smile:", "::error::owned", "##[error]owned", "\n", "\r", "\r\n", "\n\n", "\n# h", "\n- x", "\n```\n"),
    *(
        "\n    x",
        "\n::error::x",
        "\t",
        " ",
        "\x1b[31m",
        "\x00",
        "\x07",
        "\x85",
        "\u2028",
        "\u202e",
        "\u200b",
        "\udc80",
        "1.",
        "1)",
        "-",
        "+",
    ),
    *("#", "===", "---", "&lt;", "&#64;a", "$`x`$", "$$x$$", "[^1]", "[ ]", "{{7*7}}", "nginx/nginx src/x.c@3f6f782"),
    *("evil/.. a@3f6f782", "x/y ../../z@3f6f782", "é", "日本"),
)
FRAGMENTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=4), st.sampled_from(("web", "drop ALL", "a b", "read-only", " ")))
WORDS = st.lists(FRAGMENTS, min_size=1, max_size=5).map("".join).filter(str.strip)
TEXTS = st.lists(WORDS, min_size=24, max_size=24, unique=True)

RULES = ("docker-socket-mount", "root-user", "excess-capabilities", "unlimited-memory", "missing-healthcheck")
STATUSES = tuple(Status)


def report(words: list[str], *, with_postures: bool = False) -> Report:
    """A report in which each of 24 words stands in one place, and nothing else is left to a repository."""
    path, other, subject, key, another, message, why, advice, refusal, summary, missing, step = words[:12]
    claim, source, second, origin, reason, remedy, note, where, before, after, image, tail = words[12:]
    read, seen = Evidence(claim, source, Strength.READ), Evidence(second, origin)
    before, after, tail = (text.encode("utf-8", "replace").decode() for text in (before, after, tail))  # a file is UTF-8
    outcomes = []
    for number, status in enumerate(STATUSES * 2):
        rule = RULES[number % len(RULES)]
        fix = None if status in (Status.REPORTED, Status.REFUSED) else Fix(summary, (), (), (read, seen), missing, step)
        finding = Finding(
            rule,
            subject if number % 2 else another,
            Place(path if number < len(STATUSES) else other, 3 + number, 1),
            message,
            fix,
            refusal,
            "" if fix else advice,
            key if number % 2 else "",
        )
        outcomes.append(Outcome(finding, status, Severity(1 + number % 4), "" if status is Status.APPLIED else why))
    changes = tuple(
        FileChange(Source(one, f"a\n{before}\nb\n"), Source(one, f"a\n{after}\nb{tail}\n"), f"/p/{number}")
        for number, one in enumerate((path, other))
    )
    postures: tuple[Posture, ...] = ()
    if with_postures:
        answers = list(Answer)
        first = {question.id: answers[at % len(answers)] for at, question in enumerate(QUESTIONS)}
        then = {question.id: answers[at % 2] for at, question in enumerate(QUESTIONS)}
        postures = (
            Posture(subject, key, Place(path, 3, 1), image, first, then),
            Posture(another, key, Place(other, 3, 1), image, first, first),
        )
    troubles, notes = (Trouble(where, 3, reason, remedy),), (Trouble(note, 0, reason, remedy),)
    return Report(tuple(outcomes), changes, troubles, notes, 2, 2, 0, postures)


#: Words that are nothing but words, as many as `report` takes.
PLAIN = [f"{first}{second}" for first in "bcdfgh" for second in ("at", "og", "un", "ip")]

#: A report with one list of words and the same with plain ones.
Pair = tuple[Report, Report]
PAIRS: st.SearchStrategy[Pair] = st.builds(
    lambda words, asked: (report(words, with_postures=asked), report(PLAIN, with_postures=asked)), TEXTS, st.booleans()
)


def without_orders(text: str, escaped: Callable[[str], str] = str) -> bool:
    """Whether the runner of GitHub's workflows would take no line of a text for an order.

    It looks for `::` after blanks and for `##[` anywhere (actions/runner, src/Runner.Common/ActionCommand.cs at
    079cdb1d05fe0ec50f8c51de5a4fa51d0eb189b0).
    """
    return not any(line.lstrip().startswith("::") or "##[" in line for line in escaped(text).splitlines())
