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
    tree = Tree((str(folder),))
    cluster = Cluster({str(file): source}, tree, {str(file): read})
    ((_, found),) = ManifestGroup(str(file), read, tree, cluster).judged()
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


@pytest.mark.parametrize(
    ("container", "why_not"),
    [
        ("image: prom/prometheus:v2.53.0\ncommand: [/bin/prometheus, --storage.tsdb.path=/prometheus]", ""),
        ("image: ghcr.io/stefanprodan/podinfo:6.7.0\ncommand: [./podinfo, --port=9898]", ""),
        ("image: prom/prometheus:v2.53.0\ncommand: [/bin/sh, -c, 'exec prometheus']", "the entrypoint is not the image's own"),
        # What is left out there steps down: the program would stay root.
        ("image: redis:7\ncommand: [redis-server, --save, '']", "the entrypoint is not the image's own"),
        ("image: nginx:1.27.1\nlifecycle: {preStop: {exec: {command: [sh, -c, 'sleep 5; nginx -s quit']}}}", ""),
        (
            "image: nginx:1.27.1\nlifecycle: {preStop: {exec: {command: [sh, -c, 'touch /x; sleep 5']}}}",
            "what preStop runs in it was not looked at",
        ),
    ],
)
def test_what_starts_beside_the_image_own_way(container: str, why_not: str, tmp_path: Path) -> None:
    found = needs(tmp_path, container)
    assert (found.holds, found.why_not) == (not why_not, why_not)


@pytest.mark.parametrize(
    ("container", "works"),
    [
        ("image: postgres:16\nvolumeMounts: [{name: claim, mountPath: /var/lib/postgresql/data}]", False),
        ("image: postgres:16\nvolumeMounts: [{name: room, mountPath: /var/lib/postgresql/data}]", False),
        ("image: postgres:16", True),  # the image's own folder belongs to it
        ("image: mariadb:11\nvolumeMounts: [{name: claim, mountPath: /var/lib/mysql}]", True),
    ],
)
def test_what_has_to_own_its_data_starts_as_root(container: str, works: bool, tmp_path: Path) -> None:
    user = needs(tmp_path, container).user
    assert user is not None
    assert user.works is works


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


@pytest.mark.parametrize(
    ("container", "works"),
    [
        ("image: redis:7", True),
        ("image: vaultwarden/server\nsecurityContext: {seccompProfile: {type: Unconfined}}", None),  # somebody had a reason
        ("image: vaultwarden/server", True),  # nothing of it stands in its profile
        ("image: vaultwarden/server\nsecurityContext: {capabilities: {add: [SYS_ADMIN]}}", None),
        ("image: nobody/knows", None),
    ],
)
def test_the_default_filter_is_enough_where_docker_has_it_on(container: str, works: bool | None, tmp_path: Path) -> None:
    verdict = needs(tmp_path, container).seccomp
    assert (verdict.works if verdict is not None else None) is works


def program(text: str) -> tuple[str, str]:
    """A container that runs this script of Python, and the ConfigMap that it is in."""
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    return "image: python:3.12\ncommand: [python, /app/app.py]\n" + NAMES % "/app", f"app.py: |\n{lines}"


@pytest.mark.parametrize(
    ("text", "works"),
    [
        ("print(1)", True),
        ("import subprocess\nsubprocess.run(['chromium', 'https://x'])", None),
    ],
)
def test_a_browser_builds_a_sandbox_of_its_own(text: str, works: bool | None, tmp_path: Path) -> None:
    verdict = needs(tmp_path, *program(text)).seccomp
    assert (verdict.works if verdict is not None else None) is works


@pytest.mark.parametrize(
    ("container", "data", "expected"),
    [
        ("image: redis:7", "{}", "works"),
        ("image: nginx:1.27\n" + NAMES % "/etc/nginx/conf.d", "a.conf: 'resolver kube-dns.kube-system;'", "doubt"),
        ("image: redis:7\nenv: [{name: SERVICE, value: in-cluster}]", "{}", "doubt"),
        ("image: tailscale/tailscale", "{}", "no"),
        ("image: traefik:v3.1\nargs: [--providers.kubernetescrd]", "{}", "no"),
        ("image: traefik:v3.1\nargs: [--providers.file.directory=/x]", "{}", "works"),
        ("image: prom/prometheus\n" + NAMES % "/etc/prometheus", "prometheus.yml: 'scrape_configs: []'", "works"),
        ("image: prom/prometheus\n" + NAMES % "/etc/prometheus", "a.yml: '[{kubernetes_sd_configs: []}]'", "no"),
        ("image: prom/prometheus\nvolumeMounts: [{name: claim, mountPath: /etc/prometheus}]", "{}", "doubt"),
        ("image: hashicorp/vault:1.15", "{}", "doubt"),
        ("image: nobody/knows", "{}", "?"),
        ("image: nobody/knows\ncommand: [sh, -c, 'kubectl get pods']", "{}", "no"),
        (*program("print(1)"), "works"),
        (*program("import kubernetes\nkubernetes.config.load_incluster_config()"), "?"),
        (*program("open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()"), "doubt"),
        (*program("import subprocess\nsubprocess.run(['ls'])"), "works"),
    ],
)
def test_who_asks_the_api_of_the_cluster(container: str, data: str, expected: str, tmp_path: Path) -> None:
    verdict = needs(tmp_path, container, data).api
    found = "?" if verdict is None else "no" if not verdict.works else "doubt" if verdict.doubt else "works"
    assert found == expected, verdict


def test_nothing_is_asked_of_it_where_no_credentials_are_given(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  automountServiceAccountToken: false\n"
    text += "  containers: [{name: web, image: 'redis:7'}]\n"
    source = Source("web.yaml", text)
    file = ManifestFile(source)
    ((_, found),) = ManifestGroup(
        "web.yaml", file, Tree(()), Cluster({"web.yaml": source}, Tree(()), {"web.yaml": file})
    ).judged()
    assert found.api is None


@pytest.mark.parametrize(
    ("added", "names"),
    [("", ""), ("NET_ADMIN", "NET_ADMIN"), ("CAP_NET_ADMIN", "NET_ADMIN"), ("ALL", "NET_ADMIN"), ("NET_RAW", "")],
)
def test_what_is_granted_beyond_the_default_may_be_needed(added: str, names: str, tmp_path: Path) -> None:
    # What it has not now, it works without; what it was given for its routes, it does not.
    granted = f"\nsecurityContext: {{capabilities: {{add: [{added}]}}}}" if added else ""
    found = needs(tmp_path, f"image: alpine:3.22\ncommand: [ip, route, add, 10.0.0.0/8, dev, eth0]{granted}")
    assert found.holds
    assert kept(found) == names
