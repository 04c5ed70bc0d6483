"""From a snapshot to bundles: what belongs together, that it is what `--write` writes, commits that git takes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from hardener.api import check
from hardener.bot.bundles import bundles
from hardener.bot.forge import EXECUTABLE, FILE, Entry
from hardener.bot.proposal import Asked, Bundle, Bundles, Snapshot
from hardener.bot.touching import independent, touching
from hardener.bot.words.look import Look
from hardener.bot.words.propose import propose
from hardener.config import find_config
from hardener.discover import discover
from hardener.pipeline import Request, run
from hardener.report import Outcome, Status

STACKS = Path(__file__).parent.parent / "fixtures" / "stacks"
REDIS = "services:\n  cache:\n    image: redis:7\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec:\n  containers:\n    - name: web\n      image: nginx:1.27\n"
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [pods/a.yaml]\n"


def laid_out(folder: Path, files: Mapping[str, str | bytes] = {}) -> Snapshot:
    """The files of a folder, with more, as the root of a repository; what is brought is there already."""
    (folder / ".git").mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text if isinstance(text, bytes) else text.encode())
    paths = [path for path in folder.rglob("*") if path.is_file()]
    entries = [Entry(path.relative_to(folder).as_posix(), EXECUTABLE if os.access(path, os.X_OK) else FILE, "") for path in paths]
    return Snapshot(str(folder.resolve()), "c0ffee", {entry.path: entry for entry in entries}, lambda location: None)


def split(snapshot: Snapshot, per: str = "project", *, believes: bool = True) -> Bundles:
    config = find_config(snapshot.folder)
    wishes = config.pull_requests._replace(per=per)
    return bundles(snapshot, config._replace(pull_requests=wishes), Asked(), believes=believes)


def scopes(snapshot: Snapshot, per: str = "project") -> dict[str, list[str]]:
    """What is changed, by scope, where anything is."""
    found = split(snapshot, per).bundles
    assert len({one.scope for one in found}) == len(found)
    return {one.scope: sorted(change.before.path for change in one.report.changes) for one in found if one.steps}


def last_of(found: Iterable[Bundle]) -> dict[str, bytes]:
    """What the commits of bundles leave behind."""
    return {file.path: file.data for one in found for step in one.steps for file in step.files}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("stacks")
    shutil.copytree(STACKS, folder, dirs_exist_ok=True)
    (folder / "shop/compose.yaml").chmod(0o755)
    return laid_out(folder)


@pytest.fixture(scope="module")
def written(stacks: Snapshot) -> dict[str, bytes]:
    """What `harden --write` would write."""
    before = os.getcwd()
    os.chdir(stacks.folder)
    try:
        return {change.before.path: change.after.to_bytes() for change in check().changes}
    finally:
        os.chdir(before)


@pytest.mark.parametrize("per", ["project", "file", "repository"])
def test_all_bundles_together_are_what_write_writes(stacks: Snapshot, written: dict[str, bytes], per: str) -> None:
    made = split(stacks, per)
    assert made.troubles == ()
    paths = [change.before.path for one in made.bundles for change in one.report.changes]
    assert sorted(paths) == sorted(written), "each change is in one bundle"
    assert {change.before.path: change.after.to_bytes() for one in made.bundles for change in one.report.changes} == written
    assert last_of(made.bundles) == written
    for one in made.bundles:
        assert [step.rule for step in one.steps if not step.rule] == [], "nothing is left that no rule did alone"
        told = [outcome for step in one.steps for outcome in step.report.outcomes]
        applied = [outcome for outcome in one.report.outcomes if outcome.status is Status.APPLIED]
        assert sorted(summary_of(outcome)[0] for outcome in told) == sorted(summary_of(outcome)[0] for outcome in applied)
        later = [outcome for step in one.steps for outcome in step.also]
        assert dict(map(summary_of, (*told, *later))) == dict(map(summary_of, applied)), "what is told last is what there is"
        assert len({step.rule for step in one.steps}) == len(one.steps)
    counts = [(one.report.files, one.report.containers, one.report.stages, len(one.report.postures)) for one in made.bundles]
    assert tuple(map(sum, zip(*counts, strict=True))) == (9, 11, 5, 11)
    assert {file.path: file.mode for one in made.bundles for step in one.steps for file in step.files} == {
        path: EXECUTABLE if path == "shop/compose.yaml" else FILE for path in written
    }


def test_a_rule_alone_is_what_only_that_rule_writes(stacks: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stacks.folder)
    made = {one.scope: one for one in split(stacks, "rule").bundles}
    for rule in ("root-user", "excess-capabilities"):
        alone = {change.before.path: change.after.to_bytes() for change in check(select=[rule]).changes}
        assert last_of([made[rule]]) == alone
        assert {outcome.finding.rule for outcome in made[rule].report.outcomes} == {rule}
        assert [step.rule for step in made[rule].steps] == [rule]
    assert made["missing-healthcheck"].steps == ()
    assert made["missing-healthcheck"].report.outcomes


def test_commits_tell_what_they_change_and_not_what_a_later_one_makes_of_it(tmp_path: Path) -> None:
    """Before redis starts as its own user it needs capabilities, with which its first commit leaves it."""
    [made] = split(laid_out(tmp_path, {"compose.yaml": REDIS})).bundles
    steps = {step.rule: step for step in made.steps}
    [dropped] = steps["excess-capabilities"].report.outcomes
    assert b"cap_add" in steps["excess-capabilities"].files[0].data
    assert "add back" in summary_of(dropped)[1]
    [at_last] = steps["root-user"].also
    assert summary_of(at_last) == (dropped.finding.identity, "drop ALL")
    assert list(steps)[-1] == "root-user"
    assert b"cap_add" not in steps["root-user"].files[0].data
    message = propose(made, Look()).commits[-1].message
    assert "\n\nWhat the commits before this one change becomes:\nIn compose.yaml:\n- cache: drop ALL. Evidence: " in message


def summary_of(outcome: Outcome) -> tuple[tuple[str, str, str], str]:
    """What a fix is about, and what it does."""
    assert outcome.finding.fix is not None
    return outcome.finding.identity, outcome.finding.fix.summary


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    person = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "core.autocrlf=false", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *person, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_commits_that_git_reverts_alone(stacks: Snapshot, tmp_path: Path) -> None:
    """Half of them can be: the lines of all follow one another. What is then there is harden's without the rule."""
    [notes] = [one for one in split(stacks).bundles if one.scope == "notes"]
    shutil.copytree(STACKS / "notes", tmp_path / "notes")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "base")
    for step in notes.steps:
        for file in step.files:
            (tmp_path / file.path).write_bytes(file.data)
        assert git(tmp_path, "commit", "-qam", step.rule).returncode == 0, "no commit is empty"
    commits = git(tmp_path, "rev-list", "--reverse", "HEAD").stdout.split()[1:]
    clean = []
    for step, commit in zip(notes.steps, commits, strict=True):
        if git(tmp_path, "revert", "--no-edit", commit).returncode:
            git(tmp_path, "revert", "--abort")
            continue
        clean.append(step.rule)
        files = discover([str(STACKS / "notes")])[0]
        without = run(Request(tuple(files), ignore=frozenset((step.rule,)))).changes
        assert (tmp_path / "notes/compose.yaml").read_bytes() == without[0].after.to_bytes()
        git(tmp_path, "reset", "-q", "--hard", commits[-1])
    assert len(clean) >= len(notes.steps) // 2
    assert {"excess-capabilities", "writable-root-filesystem"} <= set(clean), "what may break most comes last"


def test_which_steps_touch() -> None:
    base = "a\nb\nc\nd\n"
    first, second = "a\nx\nb\nc\nd\n", "a\nx\ny\nb\nc\nd\n"
    third = "a\nx\ny\nb\nd\n"
    states = [("", base), ("one", first), ("two", second), ("three", third)]
    edges = touching({"file": states})
    assert edges == {frozenset(("one", "two"))}, "a line lies between the others"
    fourth = "a\nx\ny\nb\n"
    assert frozenset(("three", "four")) in touching({"file": [*states, ("four", fourth)]})
    assert independent(["one", "two", "three"], edges, ["one"]) == {"one", "three"}
    assert independent(["one", "two", "three"], edges, ["two"]) == {"two", "three"}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Something of every kind. What the shop's service writes to its tmpfs, it may only as the user that its Dockerfile gets."""
    add = "FROM alpine:3.20\nADD a /a\nUSER 1000\n"
    files: dict[str, str | bytes] = {
        "shop/compose.yaml": "services:\n  api:\n    build: api\n",
        "shop/api/Dockerfile": 'FROM node:22\nWORKDIR /app\nCOPY server.js .\nCMD ["node", "server.js"]\n',
        "shop/api/server.js": "require('fs').writeFileSync('/tmp/x', '1')\nrequire('http').createServer().listen(8080)\n",
        "two/compose.yaml": REDIS,
        "two/Dockerfile": add,
        "k8s/kustomization.yaml": KUSTOMIZATION,
        "k8s/pods/a.yaml": POD.replace("NAME", "a"),
        "plain/one.yaml": POD.replace("NAME", "one"),
        "plain/two.yaml": POD.replace("NAME", "two"),
        "Dockerfile": add,
        "tools/Dockerfile.dev": add,
        "a": "",
        "two/a": "",
        "tools/a": "",
        "broken/compose.yaml": "services: {a: [\n",
    }
    return laid_out(tmp_path_factory.mktemp("mixed"), files)


def test_what_is_a_project(mixed: Snapshot) -> None:
    assert scopes(mixed) == {
        "shop": ["shop/api/Dockerfile", "shop/compose.yaml"],
        "two": ["two/Dockerfile", "two/compose.yaml"],
        "k8s": ["k8s/pods/a.yaml"],
        "plain": ["plain/one.yaml", "plain/two.yaml"],
        ".": ["Dockerfile"],
        "tools": ["tools/Dockerfile.dev"],
    }


def test_a_file_is_alone_where_it_is_safe_alone(mixed: Snapshot) -> None:
    assert scopes(mixed, "file") == {
        "shop/compose.yaml": ["shop/api/Dockerfile", "shop/compose.yaml"],
        "two/compose.yaml": ["two/compose.yaml"],
        "two/Dockerfile": ["two/Dockerfile"],
        "k8s/pods/a.yaml": ["k8s/pods/a.yaml"],
        "plain/one.yaml": ["plain/one.yaml"],
        "plain/two.yaml": ["plain/two.yaml"],
        "Dockerfile": ["Dockerfile"],
        "tools/Dockerfile.dev": ["tools/Dockerfile.dev"],
    }


def test_what_is_mended_in_another_file_stays_with_it(tmp_path: Path) -> None:
    extends = "services:\n  web:\n    extends: {file: compose.yaml, service: cache}\n"
    snapshot = laid_out(tmp_path, {"compose.yaml": REDIS, "web.compose.yaml": extends})
    [made] = split(snapshot, "file").bundles
    assert made.scope == "compose.yaml"
    assert [change.before.path for change in made.report.changes] == ["compose.yaml"]
    assert {outcome.finding.place.path for outcome in made.report.outcomes} == {"compose.yaml", "web.compose.yaml"}


def test_every_commit_is_a_run_with_the_rules_so_far(mixed: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    [shop] = [one for one in split(mixed).bundles if one.scope == "shop"]
    assert shop.steps[-1].rule == "root-user", "what others write for comes last, so that it can be taken back with that"
    assert {file.path for file in shop.steps[-1].files} == {"shop/compose.yaml", "shop/api/Dockerfile"}
    monkeypatch.chdir(mixed.folder)
    so_far: list[str] = []
    state: dict[str, bytes] = {}
    for step in shop.steps:
        so_far.append(step.rule)
        for change, file in zip(step.report.changes, step.files, strict=True):
            assert change.before.to_bytes() == state.get(file.path, Path(file.path).read_bytes())
            state[file.path] = file.data
        report = check(["shop"], select=so_far)
        assert state == {change.before.path: change.after.to_bytes() for change in report.changes}
        assert {outcome.finding.rule for outcome in step.report.outcomes} == {step.rule}


def test_what_is_wrong_is_told_where_it_belongs(mixed: Snapshot, tmp_path: Path) -> None:
    made = split(mixed)
    [broken] = [one for one in made.bundles if one.scope == "broken"]
    assert [trouble.path for trouble in broken.report.troubles] == ["broken/compose.yaml"]
    assert broken.steps == ()
    assert made.troubles == ()
    # In a rule's bundle there is no place for it.
    assert [trouble.path for trouble in split(mixed, "rule").troubles] == ["broken/compose.yaml"]


@pytest.mark.parametrize("per", ["project", "file", "rule", "repository"])
def test_what_was_not_judged_is_told_with_all_that_was(per: str, tmp_path: Path) -> None:
    release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a}\nspec: {chart: {spec: {chart: a}}}\n"
    report = split(laid_out(tmp_path, {"compose.yaml": REDIS, "apps/a.yaml": release}), per).report
    assert [note.at for note in report.notes] == ["apps/a.yaml:1"]
    assert report.files == 2
    assert report.applied


@pytest.mark.parametrize(
    "text",
    [
        REDIS.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + REDIS.encode(),
        REDIS.encode().rstrip(b"\n"),
        b"\xef\xbb\xbf" + REDIS.replace("\n", "\r\n").encode().rstrip(),
    ],
    ids=["crlf", "bom", "no final newline", "all of it"],
)
def test_bytes_are_kept(tmp_path: Path, text: bytes) -> None:
    [made] = split(laid_out(tmp_path, {"compose.yaml": text})).bundles
    for step in made.steps:
        [file] = step.files
        assert file.data.startswith(b"\xef\xbb\xbf") == text.startswith(b"\xef\xbb\xbf")
        assert (b"\n" in file.data.replace(b"\r\n", b"")) != (b"\r\n" in text)
        assert file.data.endswith(b"\n") == text.endswith(b"\n")
        assert "redis" in yaml.safe_load(file.data.decode("utf-8-sig"))["services"]["cache"]["image"]
    assert len(made.steps) > 2
    assert made.scope == "."


def test_the_digest_is_that_of_the_fixes(tmp_path: Path) -> None:
    def fixes(name: str, text: str, more: Mapping[str, str | bytes] = {}) -> str:
        found = split(laid_out(tmp_path / name, {"shop/compose.yaml": text, **more})).bundles
        return next(one.fixes for one in found if one.scope == "shop")

    first = fixes("first", REDIS)
    assert fixes("again", REDIS) == first
    assert fixes("moved", "# A word.\n\nname: shop\n" + REDIS) == first, "lines moved"
    assert fixes("beside", REDIS, {"other/compose.yaml": REDIS, "shop/readme.md": ""}) == first, "an unrelated file"
    assert fixes("finding", REDIS + "    labels: {PASSWORD: x}\n    healthcheck: {disable: true}\n") == first
    changed = {
        "less": REDIS + "    read_only: true\n    tmpfs: [/tmp]\n",
        "more": REDIS + "  other:\n    image: redis:7\n",
        "fewer": REDIS + "    mem_limit: 1g\n    pids_limit: 50\n",
    }
    digests = [fixes(name, text) for name, text in changed.items()]
    assert len({first, *digests}) == 4
    toml = "[limits]\nmemory = '512M'\n"
    assert fixes("other nature", REDIS, {"hardener.toml": toml}) != first, "another amount"


def test_what_a_strangers_repository_claims_is_not_believed(tmp_path: Path) -> None:
    evidence = (
        "version: 1\nservices:\n  app:\n    seen: {image: 'example.com/app:1'}\n    engine: Docker 28\n"
        "    capabilities: []\n    read-only: true\n    no-new-privileges: true\n    pids: 77\n"
    )
    profile = "[[limits]]\n"
    snapshot = laid_out(
        tmp_path,
        {
            "app/compose.yaml": "services:\n  app:\n    image: example.com/app:1\n",
            "app/harden.evidence.yaml": evidence,
            "cache/compose.yaml": REDIS,
            "profiles/readme.md": profile,
            "hardener.toml": "profiles = ['profiles']\n[limits]\npids = 33\n",
        },
    )

    def app(*, believes: bool) -> Bundle:
        return next(one for one in split(snapshot, believes=believes).bundles if one.scope == "app")

    own, foreign = app(believes=True), app(believes=False)
    assert {"excess-capabilities", "writable-root-filesystem"} <= {step.rule for step in own.steps}
    assert own.unbelieved == ()
    assert not {"excess-capabilities", "writable-root-filesystem"} & {step.rule for step in foreign.steps}
    assert foreign.unbelieved == ("app/harden.evidence.yaml", "profiles")
    text = foreign.steps[-1].files[0].data.decode()
    assert "33" in text, "an amount is a wish of whoever keeps it"
    [cache] = [one for one in split(snapshot, believes=False).bundles if one.scope == "cache"]
    assert cache.unbelieved == ("profiles",)


def test_files_are_brought_before_they_are_read(tmp_path: Path) -> None:
    whole = laid_out(tmp_path / "whole", {"compose.yaml": REDIS, ".gitignore": "b\n", "b/compose.yaml": REDIS, "a/c.md": "x"})
    empty = laid_out(tmp_path / "empty", dict.fromkeys(whole.entries, ""))
    brought: list[str] = []

    def fetch(location: str) -> None:
        path = os.path.relpath(location, empty.folder)
        brought.append(path)
        Path(location).write_bytes(Path(whole.folder, path).read_bytes())

    made = split(empty._replace(fetch=fetch))
    assert last_of(made.bundles) == last_of(split(whole).bundles) != {}
    assert set(brought) <= {"compose.yaml", ".gitignore"}, "neither what is ignored nor what nobody reads"


def test_lines_that_stand_there_without_end_do_not_take_forever() -> None:
    """What a stranger writes: every line is equal to every other, and each step changes some."""
    text = "#\n" * 40_000
    states = [("", text), *((step, text.replace("#\n", "#\n" + step + "\n", at)) for at, step in enumerate("abc", 1))]
    assert touching({"compose.yaml": states})
