"""harden: rewrite Compose files, manifests and Dockerfiles so that they run with the least privilege that still works.

As a library: `check` judges files, `fix` writes their fixes, both return a `Report`; see `hardener.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardener.api import check, fix, format_report
    from hardener.config import Config, find_config, given_config
    from hardener.errors import HardenError, Unreadable, UsageError
    from hardener.finding import Applicability, Evidence, Finding, Fix, Place, Severity, Strength
    from hardener.policy import Amounts, Policy, Waiver
    from hardener.posture import Answer, Posture
    from hardener.report import FileChange, Outcome, Report, Status, Trouble
    from hardener.source import Source

__version__ = "0.1.0"

#: What is offered, by the module that has it: imported when it is used, for a command line needs little of it.
_MODULES = {
    "api": ("check", "fix", "format_report"),
    "config": ("Config", "find_config", "given_config"),
    "errors": ("HardenError", "Unreadable", "UsageError"),
    "finding": ("Applicability", "Evidence", "Finding", "Fix", "Place", "Severity", "Strength"),
    "policy": ("Amounts", "Policy", "Waiver"),
    "posture": ("Answer", "Posture"),
    "report": ("FileChange", "Outcome", "Report", "Status", "Trouble"),
    "source": ("Source",),
}
__all__ = [
    "Amounts",
    "Answer",
    "Applicability",
    "Config",
    "Evidence",
    "FileChange",
    "Finding",
    "Fix",
    "HardenError",
    "Outcome",
    "Place",
    "Policy",
    "Posture",
    "Report",
    "Severity",
    "Source",
    "Status",
    "Strength",
    "Trouble",
    "Unreadable",
    "UsageError",
    "Waiver",
    "check",
    "find_config",
    "fix",
    "format_report",
    "given_config",
]


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"hardener.{module}"), name)
    raise AttributeError(f"module 'hardener' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
