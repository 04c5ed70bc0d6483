"""The command `harden pr`: its argument and options, and which module does the work. Knows no forge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

_HELP = """Open pull requests for the fixes that are safe: one a project, one commit a hazard, each with its evidence.

Nothing is cloned: files are read, and branches made, through the forge: GitHub, GitLab, Gitea or Forgejo.

Look first at what would be done: `harden pr --dry-run`, and with --show every word of it.

What is open is brought up to date and never doubled; what was closed stays closed; where somebody else has pushed, it stops.

The token is that of the environment, or of the forge's own command line; README.md says what it has to be allowed."""
_WHERE, _WHAT, _HOW = "Where", "What to propose", "How to go about it"


def add_pr(application: typer.Typer, chosen: list[Callable[[], int]], rule_ids: Callable[[str], list[str]]) -> None:
    """Add the command to an application; `rule_ids` completes the names of rules."""
    annotations: dict[str, Any] = {
        "folder": Annotated[
            str, typer.Argument(metavar="[DIR]", help="A clone, whose remote says where. Default: this folder, or the CI job.")
        ],
        "repo": _text("--repo", "OWNER/NAME|URL", "The repository, in place of that of a clone.", _WHERE),
        "forge": _text(
            "--forge",
            "NAME|URL|NAME=URL",
            "Where it is: github, gitlab, gitea or forgejo, an address, or both: gitea=https://git.example.com.",
            _WHERE,
        ),
        "base": _text("--base", "BRANCH", "The branch that pull requests go to. Default: the repository's own.", _WHERE),
        "all": _text(
            "--all",
            "FILE",
            "All repositories that FILE names, one a line; FILE.state says to a later run where to go on.",
            _WHERE,
        ),
        "most": Annotated[
            int | None,
            typer.Option(
                "--most", min=1, metavar="N", help="With --all: work in so many, by default 50.", rich_help_panel=_WHERE
            ),
        ],
        "git": _flag("--git", "Make and push the commits with git, in the clone DIR.", _WHERE),
        "only": Annotated[
            list[str],
            typer.Option(
                "--only",
                metavar="RULE",
                help="Only these rules (repeat, or put commas between).",
                autocompletion=rule_ids,
                rich_help_panel=_WHAT,
            ),
        ],
        "per": Annotated[
            Literal["project", "file", "rule", "repository"] | None,
            typer.Option("--per", help="What one pull request is about. Default: as configured.", rich_help_panel=_WHAT),
        ],
        "verify": _flag("--verify", "Try the fixes on your Docker engine before: it runs what the repository contains.", _WHAT),
        "unsafe_fixes": _flag("--unsafe-fixes", "Also fixes whose evidence is incomplete.", _WHAT),
        "trust_evidence": _flag("--trust-evidence", "Believe evidence, profiles and [pr] in what is not yours.", _WHAT),
        "suggest": _flag("--suggest", "Say on the lines what is held back, with what could be written there.", _WHAT),
        "dashboard": _flag("--dashboard", "Keep an issue that lists all pull requests, and what was declined.", _WHAT),
        "onboard": _flag("--onboard", "Propose a hardener.toml first, and nothing new before that is merged.", _WHAT),
        "dry_run": _flag("--dry-run", "Say what would be done, and do nothing.", _HOW),
        "show": _flag("--show", "With --dry-run: also every title, body, message and diff, of what waits too.", _HOW),
        "draft": _flag("--draft", "Open them as drafts.", _HOW),
        "author": _text(
            "--author", "NAME <EMAIL>", "Whose name is on the commits. Default: as configured, or the token's.", _HOW
        ),
        "sign_off": _flag("--sign-off", "End each commit with a Signed-off-by of its author.", _HOW),
        "format": Annotated[
            Literal["text", "json"], typer.Option("--format", help="The form of the answer.", rich_help_panel=_HOW)
        ],
    }

    def pr(
        folder: str = "",
        repo: str = "",
        forge: str = "",
        base: str = "",
        all: str = "",
        most: int | None = None,
        git: bool = False,
        only: list[str] = [],  # noqa: B006
        per: str | None = None,
        verify: bool = False,
        unsafe_fixes: bool = False,
        trust_evidence: bool = False,
        suggest: bool = False,
        dashboard: bool = False,
        onboard: bool = False,
        dry_run: bool = False,
        show: bool = False,
        draft: bool = False,
        author: str = "",
        sign_off: bool = False,
        format: str = "text",
    ) -> None:
        from hardener.bot.proposal import Asked
        from hardener.cli import pr as command

        where = command.Where(folder, repo, forge, all, most or 0, git)
        asked = Asked(
            base=base,
            only=frozenset(only),
            dry_run=dry_run,
            draft=draft,
            verify=verify,
            unsafe=unsafe_fixes,
            trust_evidence=trust_evidence,
            remarks=suggest,
            dashboard=dashboard,
            onboard=onboard,
            per=per or "",
            author=author,
            sign_off=sign_off,
        )
        chosen.append(lambda: command.run(where, asked, command.Shown(show, format)))

    pr.__annotations__ |= annotations
    application.command(help=_HELP)(pr)


def _text(flag: str, metavar: str, about: str, panel: str) -> Any:
    return Annotated[str, typer.Option(flag, metavar=metavar, help=about, show_default=False, rich_help_panel=panel)]


def _flag(flag: str, about: str, panel: str) -> Any:
    return Annotated[bool, typer.Option(flag, help=about, rich_help_panel=panel)]
