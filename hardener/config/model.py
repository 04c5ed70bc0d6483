"""What a configuration comes to: decisions about findings, and defaults of the command line. Knows no file's form."""

from __future__ import annotations

from hardener.policy import Policy
from hardener.record import NamedTuple


class PullRequests(NamedTuple):
    """How a repository wants its pull requests: the table `pr`."""

    #: Whether any are made at all.
    enabled: bool = True
    #: What one is about: "project", "file", "rule" or "repository".
    per: str = "project"
    draft: bool = False
    labels: tuple[str, ...] = ()
    #: Whose name is on the commits, as `NAME <EMAIL>`; empty for whoever has the token, and the forge may sign them.
    author: str = ""
    #: Whether each commit ends with `Signed-off-by:`.
    sign_off: bool = False
    #: What their branches begin with, and what stands before their titles and those of their commits, such as `fix(docker): `.
    branch_prefix: str = "harden/"
    title_prefix: str = ""
    #: Where the pages of the rules are served; empty where nobody serves them.
    rule_pages: str = ""
    #: When their commits are made anew on top of a base that has moved: "always", "conflicts" or "never".
    rebase: str = "always"
    #: How many are opened in an hour, and how many are open at once.
    per_hour: int = 2
    at_once: int = 5
    #: Who gives this label to one has it left as it is.
    stop_label: str = "harden:stop"
    #: Whether what is held back is said on its lines, with what could be written there.
    remarks: bool = False
    #: Whether an issue lists all of them, and what was declined.
    dashboard: bool = False


class Config(NamedTuple):
    """What was told; empty, it is what harden does by itself."""

    #: The file that says so, as the user knows it, and the folder that it is in; empty for none.
    path: str = ""
    folder: str = ""
    policy: Policy = Policy()
    #: Ids of the rules that are applied, or left out; empty for all, and for none.
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    #: What is not looked at, in patterns of .gitignore from the folder on.
    exclude: tuple[str, ...] = ()
    #: The name of a severity, or "never"; empty where nothing is said.
    fail_on: str = ""
    unsafe_fixes: bool = False
    #: Where the file lies that lists the findings of the past; empty for none.
    baseline: str = ""
    #: Commands that say whether the project does its job, as `harden verify --probe` takes them.
    probes: tuple[str, ...] = ()
    #: How the bot behaves.
    pull_requests: PullRequests = PullRequests()
