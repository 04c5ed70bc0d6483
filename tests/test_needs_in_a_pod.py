"""What a container of a pod needs: the same knowledge, read for a platform with other ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardener.facts.kubernetes.cluster import Cluster
from hardener.facts.kubernetes.manifest import ManifestFile
from hardener.facts.tree import Tree
from hardener.manifests import ManifestGroup
from hardener.needs.needs import Needs
from hardener.source import Source

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: web
%s
  volumes:
  - {name: conf, configMap: {name: conf}}
  - {name: room, emptyDir: {}}
  - {name: claim, persistentVolumeClaim: {claimName: claim}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data:
%s
"""
NAMES = "volumeMounts: [{name: conf, mountPath: %s}]"


def needs(folder: Path, container: str, data: str = "{}") -> Needs:
    """What the one container of a pod needs; `data` is the ConfigMap that it may mount."""

    def indented(text: str, by: int) -> str:
        return "".join(f"{' ' * by}{line}\n" for line in text.splitlines()).rstrip()

    text = POD % (indented(container, 4), indented(data, 2))
    file = folder / "web.yaml"
    file.write_text(text)
    source = Source(str(file), text)
    read = ManifestFile(source)
    cluster = Cluster({str(file): source}, {str(file): read})
    ((_, found),) = ManifestGroup(str(file), read, Tree((str(folder),)), cluster).judged()
    assert isinstance(found, Needs)
    return found


def kept(found: Needs) -> str:
    return " ".join(item.name for item in found.capabilities or ())


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ("image: nginx:1.27", "CHOWN NET_BIND_SERVICE SETGID SETUID"),
        ("image: traefik:v3.1\nports: [{containerPort: 8443}]", "NET_BIND_SERVICE"),
        ("image: redis:7\nports: [{containerPort: 80}]", "CHOWN DAC_OVERRIDE NET_BIND_SERVICE SETGID SETUID"),
        ("image: redis:7\nports: [{containerPort: 6379}]", "CHOWN DAC_OVERRIDE SETGID SETUID"),
        ("image: nginx:1.27\nsecurityContext: {runAsUser: 101}", ""),
    ],
)
def test_root_binds_a_low_port_by_a_capability(container: str, expected: str, tmp_path: Path) -> None:
    found = needs(tmp_path, container)
    assert found.holds, found.why_not
    assert kept(found) == expected


CONF = "default.conf: |\n  server {\n    listen 8080;\n    %s\n  }\n"


def test_a_configuration_in_an_object_is_read_like_a_mounted_file(tmp_path: Path) -> None:
    """By the profile's conditions, and by the reader of what a command starts."""
    found = needs(tmp_path, "image: nginx:1.27\n" + NAMES % "/etc/nginx/conf.d", CONF % "access_log /srv/x.log;")
    assert found.read_only is not None
    assert not found.read_only.works
    found = needs(tmp_path, "image: nginx:1.27\n" + NAMES % "/etc/nginx/conf.d", CONF % "")
    assert found.read_only is not None
    assert found.read_only.works, found.read_only.why
    program = "app.py: |\n  open('/srv/out.txt', 'w').write('1')\n"
    found = needs(tmp_path, "image: python:3.12\ncommand: [python, /app/app.py]\n" + NAMES % "/app", program)
    assert found.holds, found.why_not
    assert [written.path for written in found.writes] == ["/srv/out.txt"]
    assert "web.yaml (app.py):1" in {written.evidence.source.rpartition("/")[2] for written in found.writes}


def test_what_changes_in_an_object_is_read_again(tmp_path: Path) -> None:
    container = "image: python:3.12\ncommand: [python, /app/app.py]\n" + NAMES % "/app"
    one = needs(tmp_path, container, "app.py: |\n  open('/srv/a.txt', 'w')\n")
    other = needs(tmp_path, container, "app.py: |\n  open('/srv/b.txt', 'w')\n")
    assert [found.writes[0].path for found in (one, other)] == ["/srv/a.txt", "/srv/b.txt"]
