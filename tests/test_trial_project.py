"""Which files a trial takes for the project; what Compose's own program reads in the copied folder is what must be in it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from compose_oracle import binary, write

from hardener.discover import COMPOSE, DOCKERFILE
from hardener.errors import HardenError, UsageError
from hardener.pipeline import Request
from hardener.trial.compose import Compose, TrialError
from hardener.trial.project import ALONE, Project, alone_model, find_project

WEB = b"services:\n  web:\n    image: nginx:1.27\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def compose() -> Compose:
    return Compose((binary(),), "2")


def found(project: Project, folder: Path) -> dict[str, str]:
    return {os.path.relpath(one.location, folder): one.kind for one in project.found}


def test_a_folder(tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"app/compose.yaml": WEB})
    project = find_project("app", (), compose, Request(()))
    assert project.folder == project.root == str(tmp_path / "app")
    assert project.compose_files == (), "Compose finds its files itself"
    assert list(project.services) == ["web"]
    assert [one.name for one in project.found] == ["app/compose.yaml"]
    assert not project.alone


def test_overrides_lie_over_it_as_compose_has_them(tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"compose.yml": WEB, "compose.override.yml": b"services:\n  web:\n    user: '7'\n  db: {image: redis}\n"})
    project = find_project(".", (), compose, Request(()))
    assert found(project, tmp_path) == {"compose.yml": COMPOSE, "compose.override.yml": COMPOSE}
    assert set(project.services) == set(compose.model(project.folder)["services"]) == {"web", "db"}
    assert project.services["web"][0].user.effective == "7"


@pytest.mark.parametrize("how", ["path", "option"])
def test_a_named_file_is_read_alone(how: str, tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"compose.yaml": WEB, "compose.override.yaml": WEB, "prod.yaml": b"services:\n  api: {image: caddy}\n"})
    path, files = ("prod.yaml", ()) if how == "path" else (".", ("prod.yaml",))
    project = find_project(path, files, compose, Request(()))
    assert project.compose_files == (str(tmp_path / "prod.yaml"),)
    assert list(project.services) == ["api"]
    assert found(project, tmp_path) == {"prod.yaml": COMPOSE}


def test_named_files_lie_over_each_other(tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"compose.yaml": WEB, "compose.prod.yaml": b"services:\n  web: {read_only: true}\n"})
    project = find_project(".", ("compose.yaml", "compose.prod.yaml"), compose, Request(()))
    assert project.compose_files == (str(tmp_path / "compose.yaml"), str(tmp_path / "compose.prod.yaml"))
    assert project.services["web"][0].read_only_root.effective is True


def test_what_is_included_and_extended_belongs_to_it(tmp_path: Path, compose: Compose) -> None:
    write(
        tmp_path,
        {
            ".git/HEAD": b"",
            "app/compose.yaml": b"include: [more/compose.yaml]\nservices:\n  web:\n"
            b"    extends: {file: ../base/base.yaml, service: base}\n",
            "app/more/compose.yaml": b"services:\n  cache: {image: redis}\n",
            "base/base.yaml": b"services:\n  base: {image: nginx}\n",
        },
    )
    project = find_project("app", (), compose, Request(()))
    assert set(project.services) >= {"web", "cache"}
    assert set(found(project, tmp_path)) == {"app/compose.yaml", "app/more/compose.yaml", "base/base.yaml"}
    assert project.root == str(tmp_path), "as far up as it needs"
    assert project.folder == str(tmp_path / "app")


@pytest.mark.parametrize("in_repository", [True, False])
def test_a_dockerfile_beside_its_folder(in_repository: bool, tmp_path: Path, compose: Compose) -> None:
    files = {
        "src/Dockerfile": b"FROM alpine:3.20\nCMD top\n",
        "src/main.c": b"",
        "deploy/compose.yaml": b"services:\n  api: {build: ../src}\n  worker: {build: ../src}\n",
    }
    write(tmp_path, {".git/HEAD": b"", **files} if in_repository else files)
    project = find_project("deploy", (), compose, Request(()))
    if in_repository:
        assert project.root == str(tmp_path)
        assert project.builders == {"src/Dockerfile": ("api", "worker")}
        assert found(project, tmp_path)["src/Dockerfile"] == DOCKERFILE
    else:
        assert project.root == str(tmp_path / "deploy"), "nothing above a repository is copied"


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        ("services:\n  web:\n    image: x\n    volumes: ['../conf:/etc/x:ro']\n", "conf/x"),
        ("services:\n  web:\n    image: x\n    env_file: ../conf/x\n", "conf/x"),
        ("services:\n  web:\n    image: x\n    env_file:\n      - path: ../conf/x\n        required: true\n", "conf/x"),
        ("services:\n  web: {image: x, secrets: [s]}\nsecrets:\n  s: {file: ../conf/x}\n", "conf/x"),
        ("services:\n  web: {image: x, configs: [s]}\nconfigs:\n  s: {file: ../conf/x}\n", "conf/x"),
        ("services:\n  web:\n    build: {context: ., additional_contexts: {more: ../conf}}\n", "conf/x"),
    ],
)
def test_the_root_holds_all_that_compose_reads_of_its_repository(
    text: str, beside: str, tmp_path: Path, compose: Compose
) -> None:
    write(tmp_path, {".git/HEAD": b"", "app/compose.yaml": text.encode(), beside: b"A=1\n", "other/big": b""})
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    project = find_project("app", (), compose, Request(()))
    assert project.root == str(tmp_path)


@pytest.mark.parametrize("outside", ["/etc/localtime:/etc/localtime", "/var/lib/data:/data", "~/x:/x"])
def test_what_lies_outside_of_the_repository_is_not_copied(outside: str, tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"repo/.git/HEAD": b"", "repo/app/compose.yaml": WEB + f"    volumes: ['{outside}']\n".encode()})
    assert find_project("repo/app", (), compose, Request(())).root == str(tmp_path / "repo" / "app")


def test_a_folder_whose_name_begins_like_the_repository_is_outside(tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"repo/.git/HEAD": b"", "repo-2/x": b"", "repo/compose.yaml": WEB + b"    volumes: ['../repo-2:/x']\n"})
    assert find_project("repo", (), compose, Request(())).root == str(tmp_path / "repo")


@pytest.mark.parametrize("path", [".", "Dockerfile", "sub/api.Dockerfile"])
def test_a_dockerfile_alone(path: str, tmp_path: Path, compose: Compose) -> None:
    text = b"FROM alpine:3.20\nEXPOSE 8080 53/udp $PORT\nEXPOSE 8080\nCMD top\n"
    write(tmp_path, {"Dockerfile": text, "sub/api.Dockerfile": text})
    project = find_project(path, (), compose, Request(()))
    name = "Dockerfile" if path == "." else path
    assert project.alone == str(tmp_path / name)
    assert project.folder == project.root == str((tmp_path / name).parent)
    assert project.builders == {name: (ALONE,)}
    assert not project.services
    (Path(project.folder) / "compose.yaml").write_text(alone_model(project.alone))
    service = compose.model(project.folder)["services"][ALONE]
    assert service["build"]["dockerfile"] == os.path.basename(name)
    assert sorted((port["target"], port["protocol"]) for port in service["ports"]) == [(53, "udp"), (8080, "tcp")]


def test_what_a_dockerfile_alone_is_run_as_is_compose(tmp_path: Path) -> None:
    write(tmp_path, {"Dockerfile": b"FROM scratch\n"})
    assert json.loads(alone_model(str(tmp_path / "Dockerfile")))["services"][ALONE]["ports"] == []


@pytest.mark.parametrize(
    ("path", "words"), [(".", "neither a Compose file nor a Dockerfile"), ("absent", "no such"), ("no/x.yaml", "no such")]
)
def test_nothing_there(path: str, words: str, compose: Compose) -> None:
    with pytest.raises(UsageError, match=words):
        find_project(path, (), compose, Request(()))


def test_what_compose_refuses_is_said_in_its_words(tmp_path: Path, compose: Compose) -> None:
    write(tmp_path, {"compose.yaml": b"services:\n  web: {image: x, depends_on: [db]}\n"})
    with pytest.raises(TrialError, match="undefined service"):
        find_project(".", (), compose, Request(()))


def test_a_named_file_that_is_not_there(compose: Compose) -> None:
    with pytest.raises(HardenError):
        find_project(".", ("absent.yaml",), compose, Request(()))
