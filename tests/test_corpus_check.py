"""The corpus check finds nothing wrong with this repository's own fixtures, and would find it if there were."""

from __future__ import annotations

from pathlib import Path

import corpus_check
import corpus_judges as judges
import pytest

from hardener.discover import COMPOSE, DOCKERFILE

FIXTURES = Path(__file__).parent.parent / "fixtures"


def shown(result: corpus_check.Result) -> list[str]:
    return [f"{v.check} [{v.mode}] {v.path}: {v.what}" for v in result.violations]


def test_fixtures_keep_every_promise_that_needs_no_compose(tmp_path: Path) -> None:
    result = corpus_check.check(str(FIXTURES), str(tmp_path), with_compose=False)
    assert shown(result) == []
    counts = result.counts["--unsafe-fixes"]
    assert counts["files edited"] > counts["files"] / 4
    assert counts["files where git apply gives the bytes written"] == counts["files edited"]
    assert counts["lines inserted"] > counts["files edited"]


def test_the_stacks_keep_every_promise(tmp_path: Path) -> None:
    result = corpus_check.check(str(FIXTURES / "stacks"), str(tmp_path))
    assert shown(result) == []
    if not result.left_out:
        assert result.counts["default"]["services compared"] > 0
    assert any(status == "applied" for _, status, _ in result.reasons["default"])
    assert any(line.endswith("0 violations") for line in corpus_check.report_lines(result))


def test_a_folder_that_is_no_repository_is_read_as_several(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "compose.yaml").write_text("services: {a: {image: example/app:1.4}}\n")
    assert corpus_check.lay_out(str(tmp_path / "all"), str(tmp_path / "copy")) == ["one", "two"]
    (tmp_path / "all" / ".git").mkdir()
    assert corpus_check.lay_out(str(tmp_path / "all"), str(tmp_path / "copy2")) == ["all"]


BEFORE = b"services:\n  web:\n    image: nginx\r\n    read_only: false\n  x: {image: a}\n"


@pytest.mark.parametrize(
    ("old", "new", "fine"),
    [
        (b"  x:", b"    cap_drop:\n      - ALL\n  x:", True),
        (b"read_only: false", b"read_only: true", True),
        (b"{image: a}", b"{image: a, cap_drop: [ALL]}", True),
        (b"\r\n", b"\n", False),
        (b"    image: nginx\r\n", b"", False),
        (b"  x:", b"    privileged: true\n  x:", False),
        (b"image: a}", b"image: b}", False),
    ],
)
def test_lines_that_were_not_planned_are_seen(old: bytes, new: bytes, fine: bool) -> None:
    assert (judges.compare_lines(BEFORE, BEFORE.replace(old, new), COMPOSE).problems == ()) is fine


def test_a_lost_line_of_a_dockerfile_is_seen() -> None:
    before = b"FROM a\nRUN b\nCMD c\n"
    assert judges.compare_lines(before, b"FROM a\nRUN b\n# why\nUSER 10001\nCMD c\n", DOCKERFILE).problems == ()
    assert judges.compare_lines(before, b"FROM a\nUSER 10001\nCMD c\n", DOCKERFILE).problems != ()


def test_instructions_that_were_not_planned_are_seen() -> None:
    pytest.importorskip("dockerfile")

    def problems(before: str, after: str) -> list[str]:
        accepted = judges.buildkit(before.encode())
        assert accepted is not None
        return list(judges.compare_instructions(accepted, judges.buildkit(after.encode())))

    assert problems("FROM a\nCMD b\n", "FROM a\nRUN adduser c\nUSER c\nCMD b\n") == []
    assert problems("FROM a\nUSER root\nCMD b\n", "FROM a\nUSER 10001\nCMD b\n") == []
    assert problems("FROM a\nCMD b\n", "FROM a\nENV c=d\nCMD b\n")
    assert problems("FROM a\nRUN x\nCMD b\n", "FROM a\nCMD b\n")
    assert problems("FROM a\nUSER c\nCMD b\n", "FROM a\nUSER c\nUSER root\nCMD b\n")
    assert problems("FROM a\nCMD b\n", "FROM\nCMD b\n")


MODEL = {"services": {"web": {"image": "a", "cap_drop": ["ALL"], "mem_limit": "1g", "tmpfs": ["/run"], "read_only": True}}}


@pytest.mark.parametrize(
    ("change", "fine"),
    [
        ({"security_opt": ["no-new-privileges:true"]}, True),
        ({"deploy": {"resources": {"limits": {"pids": 5}}}}, True),
        ({"tmpfs": ["/run", "/tmp"]}, True),
        ({"image": "b"}, False),
        ({"deploy": {"replicas": 2}}, False),
        ({"cap_drop": []}, False),
        ({"cap_add": ["SYS_ADMIN"]}, False),
        ({"privileged": True}, False),
        ({"read_only": False}, False),
        ({"mem_limit": "2g"}, False),
        ({"tmpfs": ["/tmp"]}, False),
        ({"tmpfs": ["/run", "/tmp", "/tmp:uid=5"]}, False),
        ({"security_opt": ["no-new-privileges:true", "no-new-privileges:true"]}, False),
    ],
)
def test_models_that_differ_otherwise_or_end_weaker_are_seen(change: dict[str, object], fine: bool) -> None:
    after = {"services": {"web": MODEL["services"]["web"] | change}}
    changed, problems = judges.compare_models(MODEL, after)
    assert changed == {"web"}
    assert (problems == []) is fine


def test_a_limit_that_the_engine_refuses_is_seen() -> None:
    was = {"memswap_limit": "256m", "cpu_quota": 5000, "mem_reservation": "2g"}
    assert len(list(judges.engine_refuses(was, was | {"mem_limit": "1g", "cpus": 1}))) == 3
    assert list(judges.engine_refuses(was, was)) == []


def test_overlays_are_judged_on_their_base() -> None:
    files = ["p/compose.yaml", "p/compose.override.yaml", "p/ci/compose.ci.yaml"]
    found = {model.files: model.kind for model in judges.models(files)}
    assert found["p/compose.yaml", "p/compose.override.yaml"] == judges.OVERRIDE
    assert found["p/compose.yaml", "p/ci/compose.ci.yaml"] == judges.BELOW
    assert found["p/ci/compose.ci.yaml",] == judges.ALONE


def test_reasons_lose_the_names_of_the_case() -> None:
    one = judges.normalised("/srv/a/docker-compose.yml defines `web` too, 3 times")
    assert one == judges.normalised("b/compose.yaml defines `api` too, 12 times")
