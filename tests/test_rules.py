"""Every rule keeps the promises of the house: a page, a fixture, a citation, and no fix by default without evidence."""

from __future__ import annotations

import importlib
import itertools
import json
import re
from pathlib import Path

import pytest
from conftest import harden
from test_fixtures import CASES, FIXTURES, Case

from hardener.finding import KINDS, Applicability, Change, Evidence, Fix, Rule, Strength
from hardener.render.formats import Run
from hardener.render.json import render as render_json
from hardener.render.text import render as render_text
from hardener.report import Report, Status
from hardener.rules import load
from hardener.standards import citations

RULES = load()
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
#: How many items each standard has: CIS Docker Benchmark 1.6, sections 4 and 5; CIS Kubernetes Benchmark 1.8, section 5;
#: OWASP's Docker Security Cheat Sheet; the sections on workloads of the report after NSA and CISA.
CIS = {"4": 12, "5": 32}
CIS_KUBERNETES = {"1": 13, "2": 13, "4": 2, "7": 4}
OWASP = 13
NSA = 12
#: The controls of each level of the Pod Security Standards, as its page calls them.
POD_SECURITY = {
    "baseline": "HostProcess, Host Namespaces, Privileged Containers, Capabilities, HostPath Volumes, Host Ports, "
    "Host Probes / Lifecycle Hooks, AppArmor, SELinux, /proc Mount Type, Seccomp, Sysctls",
    "restricted": "Volume Types, Privilege Escalation, Running as Non-root, Running as Non-root user, Seccomp, Capabilities",
}


def module(rule: Rule) -> object:
    return importlib.import_module(f"hardener.rules.{rule.id.replace('-', '_')}")


def test_there_are_rules_and_no_two_have_one_name() -> None:
    assert len(RULES) >= 9
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert len({rule.title for rule in RULES}) == len(RULES)


@every_rule
def test_the_name_of_the_file_is_the_name_of_the_rule(rule: Rule) -> None:
    assert module(rule).RULE is rule  # type: ignore[attr-defined]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)


@every_rule
def test_the_docstring_is_a_page(rule: Rule) -> None:
    page = module(rule).__doc__ or ""
    first, _, rest = page.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first.strip()
    assert len(rest.split()) >= 30, "what goes wrong, and what the repair does"
    assert all((check := rule.check(kind)) is not None and check.__doc__ for kind in rule.sees)


@every_rule
def test_it_says_what_why_and_for_whom(rule: Rule) -> None:
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.why
    assert not rule.why.endswith(".")
    assert rule.sees


@every_rule
def test_it_cites_items_that_exist(rule: Rule) -> None:
    assert rule.cites or rule.sees == ("silence",), "nobody but us asks how our own comments are written"
    assert set(rule.cites) <= set(citations())


def test_every_item_of_a_standard_is_exact_and_used() -> None:
    used = {item for rule in RULES for item in rule.cites}
    for item, found in citations().items():
        cis = re.fullmatch(r"CIS Docker (4|5)\.(\d+)", item)
        owasp = re.fullmatch(r"OWASP Docker (\d+)a?", item)
        kubernetes = re.fullmatch(r"CIS Kubernetes 5\.(\d)\.(\d+)", item)
        nsa = re.fullmatch(r"NSA/CISA Kubernetes 1\.(\d+)", item)
        pods = re.fullmatch(r"Pod Security Standards: (\w+), (.+)", item)
        assert cis or owasp or kubernetes or nsa or pods or item.startswith("Docker docs: "), item
        assert not kubernetes or 1 <= int(kubernetes[2]) <= CIS_KUBERNETES[kubernetes[1]]
        assert not nsa or int(nsa[1]) <= NSA
        assert not pods or pods[2] in POD_SECURITY[pods[1]].split(", ")
        assert not cis or 1 <= int(cis[2]) <= CIS[cis[1]]
        assert not owasp or int(owasp[1]) <= OWASP
        assert found.title
        assert found.url.startswith("https://")
        assert item in used, "no rule asks for it"


@every_rule
def test_its_fixtures_are_its_proof(rule: Rule) -> None:
    cases = [case for case in CASES if case.rule == rule.id]
    found = [line for case in cases for line in (case.folder / "findings.txt").read_text().splitlines()]
    assert any(f" {rule.id} " in line for line in found), "a case where the hazard is"
    assert any(f" {rule.id} " not in (case.folder / "findings.txt").read_text() for case in cases), "a case where it is not"
    # A comment changes nothing that runs, so that there is nothing that would have to hold its repair back.
    if any(line.endswith(" applied") for line in found) and rule.sees != ("silence",):
        assert any(line.rsplit(" ", 1)[1] in ("held-back", "refused", "reported") for line in found), (
            "and one where nothing may be done"
        )


def test_no_fixture_is_for_a_rule_that_is_not_there() -> None:
    folders = {path.name for path in FIXTURES.iterdir() if path.is_dir()}
    assert folders - {"_together", "stacks"} == {rule.id for rule in RULES}


# What is written without being asked has evidence.


def test_a_fix_that_says_nothing_writes_nothing() -> None:
    assert min(Applicability) is Applicability.DISPLAY
    assert Fix("words only").applicability is Applicability.DISPLAY
    assert Fix("words only", evidence=(Evidence("seen", "a run", Strength.OBSERVED),)).applicability is Applicability.DISPLAY


CHANGE = Change("compose.yaml", None)
EVIDENCE = [Evidence("a claim", "a source", strength) for strength in Strength]


@pytest.mark.parametrize("missing", ["", "something"])
@pytest.mark.parametrize("evidence", [chosen for size in range(4) for chosen in itertools.combinations(EVIDENCE, size)])
def test_only_what_was_read_or_seen_makes_a_fix_safe(evidence: tuple[Evidence, ...], missing: str) -> None:
    fix = Fix("a fix", changes=(CHANGE,), evidence=evidence, missing=missing)
    well_founded = (
        bool(evidence) and all(item.strength in (Strength.READ, Strength.OBSERVED) for item in evidence) and not missing
    )
    assert fix.applicability is (Applicability.SAFE if well_founded else Applicability.UNSAFE)


def test_nobody_can_say_how_far_a_fix_is_trusted() -> None:
    with pytest.raises(TypeError):
        Fix("a fix", changes=(CHANGE,), applicability=Applicability.SAFE)  # type: ignore[call-arg]
    assert Evidence("a claim", "a source").strength is Strength.ASSUMED


def assert_well_founded(report: Report) -> int:
    """Every applied fix shows its evidence. How many there were."""
    applied = [outcome.finding for outcome in report.outcomes if outcome.status is Status.APPLIED]
    for finding in applied:
        assert finding.fix is not None, finding
        assert finding.fix.applicability is Applicability.SAFE, finding
        assert finding.fix.evidence, finding
        assert not finding.fix.missing, finding
        for item in finding.fix.evidence:
            assert item.claim, finding
            assert item.source, finding
            assert item.strength >= Strength.READ, finding
    return len(applied)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.rule}/{case.folder.name}") for case in CASES])
def test_what_is_applied_by_default_shows_its_evidence(case: Case, tmp_path: Path) -> None:
    report = harden(tmp_path, case.before, unsafe=False).report
    assert_well_founded(report)
    assert_shown(report)


def assert_shown(report: Report) -> None:
    """What people and programs are given has the evidence of every applied fix: each claim, and where it stands."""
    told = json.loads(render_json(report, Run(".")))["findings"]
    shown = {(one["rule"], one["subject"], one["line"]): one for one in told if one["status"] == "applied"}
    text = "".join(render_text(report, Run(".")).split())
    for outcome in report.outcomes:
        finding = outcome.finding
        if outcome.status is not Status.APPLIED or finding.fix is None:
            continue
        entry = shown[finding.rule, finding.subject, finding.place.line]
        given = [(item["claim"], item["source"]) for item in entry["fix"]["evidence"]]
        assert given == [(item.claim, item.source) for item in finding.fix.evidence]
        assert {item["strength"] for item in entry["fix"]["evidence"]} <= {"read", "observed"}
        for item in finding.fix.evidence:
            assert "".join(item.claim.split()) in text, finding
            assert f"[{''.join(item.source.split())}]" in text, finding


def test_the_projects_with_source_are_among_them() -> None:
    """The promise above is worth something only where what was read of programs is applied."""
    built = [case for case in CASES if case.rule == "_together" and "safe" in case.options and "Dockerfile" in case.before]
    applied = [case for case in built if " applied" in (case.folder / "findings.txt").read_text()]
    assert len(applied) >= 5
    assert any(
        line.startswith("Dockerfile") and line.endswith("root-user image applied")
        for case in applied
        for line in (case.folder / "findings.txt").read_text().splitlines()
    )


IMAGES = """
    postgres:16 postgres:9.6 postgres postgres:16-alpine redis:7 nginx:1.27 nginx httpd:2.4 memcached:1.6 mariadb:11 mysql:8
    mongo:7 rabbitmq:3-management traefik:v3.1 node:22 python:3.12-slim alpine scratch example/app:1 localhost:5000/postgres:16
    postgres@sha256:0000000000000000000000000000000000000000000000000000000000000000 ${IMAGE} bitnami/postgresql:16 docker:27-dind
""".split()
WAYS = {
    "plain": "",
    "volume": "    volumes: [data:/data, data2:/var/lib/postgresql/data, data3:/var/lib/mysql]\n",
    "bind": "    volumes: [./data:/data, ./pg:/var/lib/postgresql/data]\n",
    "user": '    user: "1000:1000"\n',
    "entrypoint": "    entrypoint: /own.sh\n",
    "command": "    command: sleep infinity\n",
    "host": "    network_mode: host\n",
    "privileged": "    privileged: true\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_applied_to_images_by_default_shows_its_evidence(way: str, tmp_path: Path) -> None:
    services = "".join(f"  s{number}:\n    image: {image}\n{WAYS[way]}" for number, image in enumerate(IMAGES))
    files = {"compose.yaml": f"services:\n{services}volumes: {{data: , data2: , data3: }}\n".encode()}
    report = harden(tmp_path, files, unsafe=False).report
    assert not report.troubles
    applied = assert_well_founded(report)
    assert applied or way in ("entrypoint", "command", "privileged")


@pytest.mark.parametrize(
    "image", ["example/app:1", "${IMAGE}", "someone/postgresql:16", "postgres:9.6", "localhost:5000/postgres:16"]
)
def test_an_image_that_nobody_knows_gets_nothing_by_default(image: str, tmp_path: Path) -> None:
    files = {"compose.yaml": f"services:\n  app:\n    image: {image}\n".encode()}
    result = harden(tmp_path, files, unsafe=False)
    assert result.files == files
    held = [outcome for outcome in result.report.outcomes if outcome.status is Status.HELD_BACK]
    assert held
    assert all(outcome.why for outcome in held), "what is held back says why"


def test_every_finding_says_what_and_every_end_says_why(tmp_path: Path) -> None:
    for number, case in enumerate(CASES):
        for outcome in harden(tmp_path / str(number), case.before, unsafe=case.how["unsafe"]).report.outcomes:
            where = f"{case.rule}/{case.folder.name}: {outcome.finding.rule} {outcome.finding.subject}"
            assert outcome.finding.message, where
            assert outcome.finding.place.line >= 1, where
            if outcome.status in (Status.HELD_BACK, Status.REFUSED, Status.FAILED):
                assert outcome.why, where
            elif outcome.status is Status.REPORTED:
                assert outcome.finding.advice, where
            assert outcome.status is not Status.FAILED, f"{where}: {outcome.why}"


def test_what_sees_one_kind_is_found_without_the_others() -> None:
    of_kinds = {kind: load(kind) for kind in KINDS}
    assert all(rules for rules in of_kinds.values())
    assert {rule.id for rules in of_kinds.values() for rule in rules} == {rule.id for rule in RULES}
    assert all(kind in rule.sees for kind, rules in of_kinds.items() for rule in rules)
