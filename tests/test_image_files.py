"""Which files of the project are in an image, and which of them may be covered by what nobody here knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_oracle import write

from hardener.facts.built import BuiltImage, built_image
from hardener.facts.container import Build
from hardener.facts.image_files import ContextFiles, ImageFiles, WrittenFiles
from hardener.facts.tree import Tree

FILES = {
    "app.py": "1",
    "src/a.py": "2",
    "src/deep/b.py": "3",
    "conf/c.ini": "4",
    "dist/out.js": "stale",
    "x.tar.gz": "",
    "n.txt": "5",
}


def files_of(folder: Path, dockerfile: str) -> ImageFiles:
    write(folder, {name: text.encode() for name, text in FILES.items()})
    image = built_image(Build("", "", inline=dockerfile, context=str(folder)), Tree((str(folder),)), "compose.yaml")
    assert isinstance(image, BuiltImage), image
    return image.files


@pytest.mark.parametrize(
    ("dockerfile", "path", "text"),
    [
        ("COPY app.py /srv/app.py", "/srv/app.py", "1"),
        ("COPY app.py /srv/", "/srv/app.py", "1"),
        ("COPY app.py n.txt /srv/", "/srv/n.txt", "5"),
        ("WORKDIR /srv\nCOPY app.py .", "/srv/app.py", "1"),
        ("WORKDIR /srv\nWORKDIR app\nCOPY app.py ./", "/srv/app/app.py", "1"),
        ("COPY src /srv/src", "/srv/src/deep/b.py", "3"),
        ("COPY src/ /srv", "/srv/a.py", "2"),
        ("COPY src/*.py /srv/", "/srv/a.py", "2"),
        ("COPY . /srv", "/srv/src/a.py", "2"),
        ("COPY ./src/../app.py /srv/", "/srv/app.py", "1"),
        ('COPY ["app.py", "/srv/"]', "/srv/app.py", "1"),
        ("ARG TO=/srv\nCOPY app.py $TO/", "/srv/app.py", "1"),
        ("COPY app.py /srv/x.py\nCOPY src/a.py /srv/x.py", "/srv/x.py", "2"),
        ("COPY ../outside /srv/x", "/srv/x", None),
        ("COPY gone.py /srv/", "/srv/gone.py", None),
        ("COPY app.py /srv/", "/srv/a.py", None),
        # What comes later may cover it.
        ("COPY app.py /srv/\nCOPY --from=example/image:1 /srv /srv", "/srv/app.py", None),
        ("COPY app.py /srv/\nCOPY --from=conf . /srv/", "/srv/app.py", None),
        ("COPY app.py /srv/\nCOPY --from=tools /usr/bin/tool /srv/", "/srv/app.py", "1"),
        ("COPY app.py /srv/\nCOPY --from=tools /wait.sh /srv/", "/srv/app.py", "1"),
        ("COPY app.py /srv/\nCOPY $WHAT /srv/", "/srv/app.py", None),
        ("COPY app.py /srv/\nADD https://example.com/app.py /srv/", "/srv/app.py", None),
        ("COPY app.py /srv/\nADD https://example.com/b.py /srv/", "/srv/app.py", "1"),
        ("COPY app.py /srv/\nADD x.tar.gz /srv/", "/srv/app.py", None),
        ("COPY app.py /srv/\nADD n.txt /srv/", "/srv/app.py", "1"),
        ("COPY dist /srv/dist\nCOPY --from=b /out /srv/dist", "/srv/dist/out.js", None),
        ("COPY --from=example/image:1 /srv /srv\nCOPY app.py /srv/", "/srv/app.py", "1"),
    ],
)
def test_what_an_image_has_from_the_project(dockerfile: str, path: str, text: str | None, tmp_path: Path) -> None:
    found = files_of(tmp_path, f"FROM alpine AS b\nRUN make\nFROM alpine\n{dockerfile}\n")
    assert found.text(path) == text
    assert (found.kind(path) == "file") is (text is not None)


def test_what_a_stage_copies_from_another(tmp_path: Path) -> None:
    found = files_of(tmp_path, "FROM alpine AS b\nWORKDIR /b\nCOPY . .\nFROM alpine\nCOPY --from=b /b/src /srv/src\n")
    assert found.text("/srv/src/a.py") == "2"
    assert found.origin("/srv/src/a.py").endswith("src/a.py")


def test_what_is_mounted_lies_over_it(tmp_path: Path) -> None:
    found = files_of(tmp_path, "FROM alpine\nCOPY src /srv/src\nCOPY app.py /srv/\n")
    found.mount("/srv/src", ContextFiles(str(tmp_path / "conf"), Tree((str(tmp_path),))))
    assert found.text("/srv/src/c.ini") == "4"
    found.mount("/srv/src", None)
    assert found.text("/srv/src/c.ini") is None
    assert found.text("/srv/src/a.py") is None
    assert found.text("/srv/app.py") == "1"


def test_a_walk_stays_in_the_context(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    found = files_of(tmp_path / "p", "FROM alpine\nCOPY . /srv\n")
    (tmp_path / "p/link").symlink_to(tmp_path / "secret")
    assert found.text("/srv/link") is None
    assert "/srv/app.py" in set(found.walk("/srv"))
    assert "/srv/link" not in set(found.walk("/srv"))


CONFIGURATION = (("nginx.conf", "user nginx;"), ("conf.d/a.conf", "listen 80;"))


def test_what_stands_in_objects_of_the_project_is_read_like_files(tmp_path: Path) -> None:
    files = files_of(tmp_path, "FROM nginx\n")
    files.mount("/etc/nginx", WrittenFiles(CONFIGURATION, "web.yaml"))
    files.mount("/app/main.py", WrittenFiles((("", "print()"),), "web.yaml"))
    assert list(files.walk("/etc/nginx")) == ["/etc/nginx/conf.d/a.conf", "/etc/nginx/nginx.conf"]
    assert list(files.walk("/app")) == ["/app/main.py"]
    assert [files.kind(path) for path in ("/etc/nginx", "/etc/nginx/conf.d", "/etc/nginx/nginx.conf", "/app/main.py")] == [
        "folder",
        "folder",
        "file",
        "file",
    ]
    assert [files.text(path) for path in ("/etc/nginx/conf.d/a.conf", "/app/main.py", "/etc/nginx/other")] == [
        "listen 80;",
        "print()",
        None,
    ]
    assert [files.origin(path) for path in ("/etc/nginx/nginx.conf", "/app/main.py")] == ["web.yaml (nginx.conf)", "web.yaml"]
    assert not files.kind("/etc/nginx/other")
