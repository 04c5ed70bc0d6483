"""harden as a library, seen from outside: a program of somebody else, in its own folder, checked by mypy and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import hardener

PROGRAM = """
from pathlib import Path

import hardener
from hardener import Config, Outcome, Policy, Report, Severity, Status, Waiver


def worst(report: Report) -> list[Outcome]:
    return [o for o in report.outcomes if o.severity >= Severity.HIGH and o.status is not Status.SILENCED]


report = hardener.check(["shop"])
for outcome in worst(report):
    fix = outcome.finding.fix
    claims = [item.claim for item in fix.evidence] if fix else []
    print(outcome.status.value, outcome.finding.rule, outcome.finding.place.path, outcome.finding.place.line, claims[:1])
print([change.before.path for change in report.changes])

policy = Policy(waivers=(Waiver("it is thrown away in May", "the owner", rules=("root-user",)),))
only = hardener.check([Path("shop")], Config(policy=policy), select=["unlimited-cpu"], unsafe=True)
print(len(only.changes), {o.finding.rule for o in only.outcomes})

try:
    hardener.check(["shop"], "no.toml")
except hardener.HardenError as error:
    print(error, error.exit_code)

before = Path("shop/compose.yaml").read_bytes()
written = hardener.fix(["shop"], Config())
after = Path("shop/compose.yaml").read_bytes()
print(before != after, after == written.changes[0].after.to_bytes(), hardener.fix(["shop"]).changes)
print(hardener.format_report(hardener.check(["shop"]), "json").startswith("{"))
print(hardener.check(["gone"]).troubles[0].reason)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "compose.yaml").write_text("services:\n  cache:\n    image: redis:7\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path / "program.py"


def test_it_runs_in_somebody_elses_program(program: Path) -> None:
    # -I: neither this folder nor this environment's variables count.
    ran = subprocess.run([sys.executable, "-I", program], cwd=program.parent, capture_output=True, text=True, check=False)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        "applied root-user shop/compose.yaml 2 ['starts as root, then steps down to uid 999']",
        "['shop/compose.yaml']",
        "1 {'unlimited-cpu'}",
        "--config no.toml: there is no such file 2",
        "True True ()",
        "True",
        "no such file or directory",
    ]


def test_its_types_are_known_there(program: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed: the dev extra has it")
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(program.parent / "cache"), program.name]
    told = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)
    assert told.stdout.startswith("Success"), told.stdout
    program.write_text(PROGRAM + "\nhardener.check(paths=1)\n")
    told = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)
    assert "incompatible type" in told.stdout, "what is wrong is seen"


def test_every_name_that_is_offered_is_there() -> None:
    assert all(getattr(hardener, name) is not None for name in hardener.__all__)
    assert sorted(hardener.__all__) == sorted(name for names in hardener._MODULES.values() for name in names)
    assert set(hardener.__all__) <= set(dir(hardener))
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        hardener.chekc  # type: ignore[attr-defined]  # noqa: B018


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(hardener.UsageError, match="there is no rule"):
        hardener.check([tmp_path], select=["root-users"])
    with pytest.raises(hardener.UsageError, match="there is no form 'pdf'"):
        hardener.format_report(hardener.check([tmp_path]), "pdf")
    (tmp_path / "hardener.toml").write_text("slect = []\n")
    with pytest.raises(hardener.Unreadable, match="slect"):
        hardener.check([tmp_path])


def test_one_path_and_one_rule_need_no_list(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'redis:7'}}\n")
    report = hardener.check(str(tmp_path), select="unlimited-pids")
    assert [outcome.finding.rule for outcome in report.outcomes] == ["unlimited-pids"]
    assert hardener.check(tmp_path).files == 1


def test_no_name_is_that_of_a_module() -> None:
    """A module that is imported becomes an attribute of its package, in the place of what was offered there."""
    modules = {path.stem for path in Path(hardener.__file__).parent.iterdir()}
    assert not modules & set(hardener.__all__)


def test_to_import_it_is_to_import_nothing_else() -> None:
    script = "import sys; import hardener; print([m for m in sys.modules if m.startswith('hardener.')])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
