"""The forms that a report may have: one table, and what each is told beside the report. Knows no form's text.

Every form is a module of this room with `render(report, run)`, which returns all of the text, with its last line end. It is
imported when it is asked for, so that a form costs nothing where it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hardener.record import NamedTuple

if TYPE_CHECKING:
    from hardener.finding import Rule
    from hardener.report import Outcome, Report


def _all_rules() -> Iterable[Rule]:
    from hardener.rules import load

    return load()


def _never(_: Outcome) -> bool:
    return False


class Run(NamedTuple):
    """What a form is told beside the report: where it was made, how, and how it is to look."""

    #: The working folder, absolute: the paths in a report are as they were typed there.
    folder: str = "/"
    #: The folder that paths for other programs begin at, absolute: the root of the repository, or else the working folder.
    root: str = "/"
    #: What was asked for: files and folders as they were typed, for commands that a person may copy.
    paths: tuple[str, ...] = ()
    #: The files that were looked at, those without findings too, as the report names them.
    files: tuple[str, ...] = ()
    #: Whether the fixes are in the files, which is so after `--write`.
    written: bool = False
    #: Whether fixes whose evidence is incomplete were to be made.
    unsafe: bool = False
    #: Columns to wrap text at.
    width: int = 80
    #: Whether escapes of a terminal may colour it.
    colour: bool = False
    #: One line for each finding, and nothing else, where a form has that.
    brief: bool = False
    #: Whether an outcome is a reason for the exit code 1.
    fails: Callable[[Outcome], bool] = _never
    #: All rules, for their titles and reasons; reading them takes a while.
    rules: Callable[[], Iterable[Rule]] = _all_rules


class Form(NamedTuple):
    """One form: its name on the command line, the module that makes it, and the endings that its files may have."""

    name: str
    module: str
    endings: tuple[str, ...] = ()
    #: Whether it shows what each fix alone would change: `Request.singly`.
    singly: bool = False
    #: Whether it shows how each container stands: `Report.postures`.
    postures: bool = False


FORMS = (
    Form("text", "text", (".txt",)),
    Form("json", "json", (".json",)),
    Form("sarif", "sarif", (".sarif", ".sarif.json", ".json"), singly=True),
    # Its summary of a step is the report as Markdown.
    Form("github", "github", postures=True),
    Form("gitlab", "gitlab", (".json",)),
    Form("junit", "junit", (".xml",)),
    Form("markdown", "markdown", (".md", ".markdown"), postures=True),
    Form("html", "html", (".html", ".htm"), postures=True),
)
NAMES = tuple(form.name for form in FORMS)
_BY_NAME = {form.name: form for form in FORMS}


def form_of(file: str, wanted: str) -> str:
    """The form of a file by its ending: the wanted one where that may end so, or where the ending says nothing."""
    lower = file.lower()
    ending = max((ending for form in FORMS for ending in form.endings if lower.endswith(ending)), key=len, default="")
    if not ending or ending in form(wanted).endings:
        return wanted
    return next(form.name for form in FORMS if ending in form.endings)


def form(name: str) -> Form:
    """The form of a name. Raises `KeyError` where there is none."""
    return _BY_NAME[name]


def render(name: str, report: Report, run: Run) -> str:
    """The report in the form of that name."""
    from importlib import import_module

    text: str = import_module(f"hardener.render.{form(name).module}").render(report, run)
    return text
