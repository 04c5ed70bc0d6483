"""Which Dockerfile of a project an image is built from that a manifest only names."""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_oracle import write

from hardener.facts.tree import Tree
from hardener.finding import Strength
from hardener.needs.built_here import built_here

DOCKERFILES = {
    "Dockerfile": "FROM a\n",
    "web/Dockerfile": "FROM b\n",
    "web/prod.Dockerfile": "FROM c\n",
    "docker/api": "FROM d\n",
}
COMPOSE = (
    "services:\n  web:\n    image: acme/web:dev\n    build: {context: web, dockerfile: prod.Dockerfile, args: [A=1, B=$C]}\n"
)
SKAFFOLD = (
    "build:\n  artifacts:\n  - image: acme/web\n    context: web\n    docker: {dockerfile: prod.Dockerfile, target: run}\n"
    "  - {image: acme/jib, context: web, jib: {}}\n"
)
WORKFLOW = """\
jobs:
  push:
    steps:
      - uses: docker/build-push-action@v6
        with:
          context: web
          file: web/prod.Dockerfile
          tags: |
            ghcr.io/acme/web:latest
            ${{ env.REGISTRY }}/web:1
      - run: |
          docker build \\
            --platform linux/amd64 -t acme/api:$TAG \\
            -f docker/api .
"""


def project(folder: Path, files: dict[str, str]) -> Path:
    (folder / ".git").mkdir(parents=True)
    write(folder, {name: text.encode() for name, text in {**DOCKERFILES, **files}.items()})
    return folder


@pytest.mark.parametrize(
    ("file", "text", "image", "expected"),
    [
        ("compose.yaml", COMPOSE, "acme/web:1.2", "web/prod.Dockerfile in web, compose.yaml:3"),
        ("compose.yaml", COMPOSE, "acme/api", ""),
        ("compose.yaml", COMPOSE, "other/web", ""),
        ("compose.yaml", COMPOSE, "$REGISTRY/web:1", "web/prod.Dockerfile in web, compose.yaml:3"),
        ("compose.yaml", COMPOSE, "${REGISTRY}/acme/web", "web/prod.Dockerfile in web, compose.yaml:3"),
        ("compose.yaml", COMPOSE, "acme/$NAME", ""),
        (
            "deploy/skaffold.yaml",
            SKAFFOLD.replace("web\n    docker", "../web\n    docker"),
            "acme/web",
            "web/prod.Dockerfile in web, deploy/skaffold.yaml:3",
        ),
        ("skaffold.yaml", SKAFFOLD, "acme/web", "web/prod.Dockerfile in web, skaffold.yaml:3"),
        ("skaffold.yaml", SKAFFOLD, "acme/jib", ""),
        (".github/workflows/ci.yml", WORKFLOW, "ghcr.io/acme/web", "web/prod.Dockerfile in web, .github/workflows/ci.yml:4"),
        (
            ".github/workflows/ci.yml",
            WORKFLOW.replace("{{ env.REGISTRY }}", "{{ github.repository }}").replace("            $", "            ghcr.io/$"),
            "ghcr.io/some/body/web:2",
            "web/prod.Dockerfile in web, .github/workflows/ci.yml:4",
        ),
        (".github/workflows/ci.yml", WORKFLOW, "acme/api", "docker/api in ., .github/workflows/ci.yml:12"),
        (".github/workflows/ci.yml", WORKFLOW, "registry.example/web", ""),  # which may be anybody's
        (".github/workflows/ci.yml", WORKFLOW, "$REGISTRY/web", "web/prod.Dockerfile in web, .github/workflows/ci.yml:4"),
        ("Makefile", "image:\n\tdocker build -t acme/web:$(TAG) web\n", "acme/web", "web/Dockerfile in web, Makefile:2"),
        (
            "Makefile",
            "image:\n\t@cd web && docker build -t acme/web . && docker push acme/web\n",
            "acme/web",
            "web/Dockerfile in web, Makefile:2",
        ),
        ("web/build.sh", "docker buildx build --push -t=x --tag acme/web .\n", "acme/web", ""),  # two folders have a Dockerfile
        ("deploy/build.sh", "docker build -q -t acme/web .\n", "acme/web", "Dockerfile in ., deploy/build.sh:1"),
        (
            "build.sh",
            "docker build -t $(git config x y)/a/web -f web/Dockerfile $(pwd)\n",
            "x.io/a/web",
            "web/Dockerfile in ., build.sh:1",
        ),
        ("build.sh", "docker build -t acme/web $FOLDER\n", "acme/web", ""),
        ("build.sh", "# docker build -t acme/web .\n", "acme/web", ""),
        ("build.sh", "docker build -t acme/web https://x/y.git\n", "acme/web", ""),
        ("build.sh", "docker build -t acme/web nowhere\n", "acme/web", ""),
        ("build.sh", "docker build -t acme/web 'web\n", "acme/web", ""),
    ],
)
def test_where_a_file_says_what_is_built(file: str, text: str, image: str, expected: str, tmp_path: Path) -> None:
    folder = project(tmp_path / "p", {file: text})
    found = built_here(image, Tree((str(folder),)), str(folder / "deploy"))
    shown = ""
    if found is not None:
        build, evidence = found
        assert evidence.strength is Strength.READ
        dockerfile, context = (Path(path).relative_to(folder) for path in (build.dockerfile, build.context))
        shown = f"{dockerfile} in {context}, {evidence.source.rpartition('/p/')[2]}"
    assert shown == expected


def test_arguments_are_known_or_known_to_be_not(tmp_path: Path) -> None:
    folder = project(tmp_path, {"compose.yaml": COMPOSE})
    found = built_here("acme/web", Tree((str(folder),)), str(folder))
    assert found is not None
    assert found[0].arguments == (("A", "1"), ("B", None))


def test_a_name_that_stands_for_another(tmp_path: Path) -> None:
    renames = "images:\n- {name: web, newName: ghcr.io/acme/web, newTag: v1}\n"
    folder = project(
        tmp_path, {"k8s/kustomization.yaml": renames, "compose.yaml": COMPOSE.replace("acme/web:dev", "ghcr.io/acme/web")}
    )
    for image in ("web", "ghcr.io/acme/web:v1"):
        assert built_here(image, Tree((str(folder),)), str(folder / "k8s")) is not None
    assert built_here("other", Tree((str(folder),)), str(folder / "k8s")) is None


def test_two_builds_of_one_name_leave_it_open(tmp_path: Path) -> None:
    folder = project(tmp_path, {"compose.yaml": COMPOSE, "Makefile": "a:\n\tdocker build -t acme/web .\n"})
    assert built_here("acme/web", Tree((str(folder),)), str(folder)) is None


def test_nothing_outside_of_the_roots_is_looked_at(tmp_path: Path) -> None:
    folder = project(tmp_path, {"compose.yaml": COMPOSE})
    assert built_here("acme/web", Tree((str(folder / "docker"),)), str(folder)) is None
