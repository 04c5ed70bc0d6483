"""The files that a report is written to (`--output`), and the summary of a GitHub step. Knows forms by name only."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from hardener import source
from hardener.cli.terminal import say
from hardener.config.find import is_below
from hardener.discover import Found
from hardener.errors import UsageError
from hardener.facts.tree import repository_root
from hardener.record import NamedTuple
from hardener.render.formats import NAMES, Run, form, form_of, render
from hardener.render.summary import clean, summary
from hardener.report import Report
from hardener.suggestion import meant

#: Where GitHub Actions says that a step's summary is to be appended, and the bytes beyond which it takes none of it
#: (actions/runner src/Runner.Worker/FileCommandManager.cs @258d6c857db3519913f7deb6004b60172f8043ae).
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_SUMMARY_BYTES = 1024 * 1024


class Output(NamedTuple):
    """A file that a report is written to, as it was typed, and the report's form."""

    path: str
    form: str


def outputs(given: Iterable[str], wanted: str) -> tuple[str, tuple[Output, ...]]:
    """The form of standard output, and the files, for what `--output` and `--format` say.

    A file in the form that is wanted takes it from standard output, which is left with text. Raises `UsageError`.
    """
    found: dict[str, Output] = {}
    printed = wanted
    for text in given:
        name, path = _split(text)
        output = Output(path, name or form_of(path, wanted))
        real = _checked(output.path)
        if real in found:
            raise UsageError(f"two reports cannot be written to one file: {clean(found[real].path)}")
        found[real] = output
        if output.form == wanted and not name:
            printed = "text"
    return printed, tuple(found.values())


def _split(text: str) -> tuple[str, str]:
    """The form before the colon, if there is one, and the file."""
    word, colon, path = text.partition(":")
    if colon and word in NAMES:
        return word, path
    if colon and len(word) > 1 and word.isalpha():  # one letter is a drive
        near = meant(word, NAMES)
        hint = f"did you mean {near}:{path}?" if near else f"the forms are {', '.join(NAMES)}"
        raise UsageError(f"there is no form `{word}`: {clean(hint)} (a file of that name is ./{clean(text)})")
    return "", text


def _checked(path: str) -> str:
    """The real path of a file that can probably be written; better told now than after the analysis."""
    if path in ("", "-"):
        raise UsageError("--output takes a file; standard output has the form of --format")
    real = os.path.realpath(path)
    if os.path.isdir(real):
        raise UsageError(f"--output {clean(path)}: that is a folder")
    _check_links(path, real)
    folder = os.path.dirname(real)
    if not os.path.isdir(folder):
        raise UsageError(f"--output {clean(path)}: there is no folder {clean(os.path.dirname(path))}")
    if not os.access(real if os.path.exists(real) else folder, os.W_OK):
        raise UsageError(f"--output {clean(path)}: it cannot be written: check the permissions of the file and its folder")
    return real


def _check_links(path: str, real: str) -> None:
    """Raise `UsageError` for a file that is said to be in the repository, and that a link in it leads to elsewhere.

    The links of a repository are those of whoever wrote it; a device or a pipe that one leads to can only be the user's wish.
    """
    root = os.path.realpath(repository_root("."))
    named = os.path.normpath(os.path.join(os.path.realpath("."), path))
    if is_below(real, root) or not os.path.join(named, "").startswith(os.path.join(root, "")):
        return
    if not os.path.exists(real) or os.path.isfile(real):
        raise UsageError(f"--output {clean(path)}: a link leads out of the repository there: take it away, or name its target")


def check(files: Iterable[Output], found: Iterable[Found]) -> None:
    """Raise `UsageError` for a report that would replace a file that is looked at."""
    looked_at = {os.path.realpath(file.location) for file in found if file.location}
    for output in files:
        if os.path.realpath(output.path) in looked_at:
            raise UsageError(f"--output {clean(output.path)}: that is one of the files to look at")


def singly(names: Iterable[str]) -> bool:
    """Whether one of the forms shows what each fix alone changes."""
    return any(form(name).singly for name in names)


def postures(names: Iterable[str]) -> bool:
    """Whether one of the forms shows how each container stands."""
    return any(form(name).postures for name in names)


def write(files: Sequence[Output], report: Report, run: Run) -> bool:
    """Write each report, in one step; whether all could be. What could not is said."""
    plain = run._replace(width=100, colour=False)
    written = True
    for output in files:
        data = render(output.form, report, plain).encode("utf-8", "backslashreplace")
        try:
            _put(output.path, data)
        except OSError as error:
            say(f"harden: {clean(output.path)}: it cannot be written: {(error.strerror or str(error)).lower()}")
            written = False
    return written


def _put(path: str, data: bytes) -> None:
    real = os.path.realpath(path)
    if os.path.exists(real) and not stat.S_ISREG(os.stat(real).st_mode):
        with open(path, "wb") as stream:  # a pipe or a device, which must stay one
            stream.write(data)
    else:
        source.create(path, data)


def add_step_summary(report: Report, run: Run) -> None:
    """Append the report as Markdown to the summary of the step of GitHub Actions that this runs in, if it runs in one.

    Where it would be too much for GitHub, which then takes nothing, only the counts are appended.
    """
    path = os.environ.get(STEP_SUMMARY, "")
    if not path:
        return
    try:
        with open(path, "ab") as file:
            data = render("markdown", report, run._replace(colour=False)).encode("utf-8", "backslashreplace")
            if file.tell() + len(data) > _SUMMARY_BYTES:
                counts = summary(report, written=run.written)
                data = f"{counts}\n\nThe report is too long to be shown here: see the log of the step.\n".encode()
            file.write(data)
    except OSError as error:
        say(f"harden: the summary of this step cannot be written: {(error.strerror or str(error)).lower()}")
