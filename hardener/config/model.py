"""What a configuration comes to: decisions about findings, and defaults of the command line. Knows no file's form."""

from __future__ import annotations

from hardener.policy import Policy
from hardener.record import NamedTuple


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
