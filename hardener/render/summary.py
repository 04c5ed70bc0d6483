"""The one line that counts, and the lines that name what was in the way. Shared by every form that people read."""

from __future__ import annotations

from hardener.report import Report, Status, Trouble

#: What ends a terminal's line or steers it. Names and messages come from files that nobody vouches for.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
#: What ends a line to some readers, what turns the direction of writing around, and what nobody sees, so that two names would
#: look alike. Joiners (U+200C, U+200D) stay, with which words are written.
_UNSEEN = (0xAD, 0x034F, 0x061C, 0x115F, 0x1160, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2065))
_UNSEEN += (*range(0x2066, 0x206A), 0x3164, 0xFEFF, *range(0xE0000, 0xE0080))
#: What Unicode has as no character, of which a page that has one is no HTML (html.spec.whatwg.org, "noncharacter").
_UNSEEN += (*range(0xFDD0, 0xFDF0), *(plane << 16 | end for plane in range(17) for end in (0xFFFE, 0xFFFF)))
_CONTROL |= {code: f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}" for code in _UNSEEN}


def clean(text: str) -> str:
    """Text that cannot steer a terminal: control characters become escapes, a line end becomes a space."""
    return text if text.isascii() and text.isprintable() else text.replace("\n", " ").translate(_CONTROL)


def filled(text: str, room: int) -> list[str]:
    """Words in lines of at most `room` characters; a longer word, such as a URL, stays whole."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def shortened(name: str, room: int = 80) -> str:
    """A name without its middle, where it is longer than a page has room for."""
    return name if len(name) <= room else f"{name[: room // 2]}…{name[-room // 2 :]}"


def summary(report: Report, *, written: bool = False) -> str:
    """How many fixes, in how many files, and what became of the rest: one line."""
    problems = f"; {count(len(report.gone), 'finding')} of the baseline gone" if report.gone else ""
    problems += f"; {count(len(report.troubles), 'problem')} in the way" if report.troubles else ""
    if not report.files:
        return f"No Compose files, Dockerfiles or manifests found{problems}."
    files = count(report.files, "file")
    if not report.outcomes:
        return f"No hazards found in {files}{problems}."
    number = dict.fromkeys(Status, 0)
    for outcome in report.outcomes:
        number[outcome.status] += 1
    others = ", ".join(
        f"{number[status]} {word}"
        for status, word in (
            (Status.HELD_BACK, "held back"),
            (Status.REFUSED, "refused"),
            (Status.FAILED, "taken back"),
            (Status.REPORTED, "without a fix"),
            (Status.SILENCED, "silenced"),
        )
        if number[status]
    )
    others = f" ({others})" if others else ""
    applied = number[Status.APPLIED]
    if not applied and report.changes and not any(change.stands_for for change in report.changes):  # silences alone
        verb = "written" if written else "would be written"
        return f"Comments {verb}{others} in {len(report.changes)} of {files}{problems}."
    if not applied:
        return f"Nothing to {'write' if written else 'fix'} in {files}{others}{problems}."
    verb = "written" if written else "would be applied"
    where = f"{len(report.changes)} of {files}"
    if any(change.stands_for for change in report.changes):  # of overlays there may be more than files
        where = f"{count(len(report.changes), 'file')} beside {files}"
    return f"{count(applied, 'fix', 'fixes')} {verb}{others} in {where}{problems}."


def problems(report: Report) -> list[str]:
    """What could not be read or edited, a line each."""
    return [problem(trouble) for trouble in report.troubles]


def problem(trouble: Trouble) -> str:
    """One thing that was in the way: where, what, and what to do."""
    remedy = f" ({trouble.remedy})" if trouble.remedy else ""
    return clean(f"{trouble.at}: {trouble.reason}{remedy}")
