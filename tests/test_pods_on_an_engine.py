"""Hardened pods, run as a container runtime of Kubernetes would run them, on a real engine and EMULATIONS of the images.

For each emulation (`tests/emulated`) a Deployment is written as people write it, hardened, and read again by PyYAML. What it
then asks for is given to the engine as a kubelet and its runtime would: emptyDirs are root's with mode 0777, claims are
empty and root's, ports below 1024 are a privilege, nothing that an image declares as a volume is one, and without a seccomp
profile there is none. Each has to do its job when it is new, after a restart, and in a new pod over the same claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from emulated_images import EMULATIONS, Emulated
from emulation import PATIENCE, Broken, Container, Engine, Options, Submit

from hardener.discover import from_stdin
from hardener.facts.kubernetes.quantities import parse_quantity
from hardener.pipeline import Request, run

#: Who serves there is not root and is handed nothing: a claim that is root's alone would not do for the original either.
WRITES_AS_ITSELF = ("php:8.2-apache", "prom/alertmanager:v0.25.0")


class Case(NamedTuple):
    """An emulation in a pod, with the fixes that are made by default, or with those that lack evidence too."""

    number: int
    unsafe: bool

    @property
    def emulated(self) -> Emulated:
        """The emulation."""
        return EMULATIONS[self.number]

    @property
    def id(self) -> str:
        """What it is called where it breaks."""
        return f"{self.emulated.title} {'unsafe' if self.unsafe else 'by default'}"


CASES = [Case(number, unsafe) for number in range(len(EMULATIONS)) for unsafe in (False, True)]


def manifest(emulated: Emulated) -> str:
    """A Deployment of one container, with a claim for each volume and a ConfigMap for what is mounted."""
    container: dict[str, Any] = {"name": "server", "image": emulated.image}
    mounts: list[dict[str, Any]] = []
    volumes: list[dict[str, Any]] = []
    if emulated.command:
        container["args"] = list(emulated.command)
    if emulated.environment:
        container["env"] = [{"name": name, "value": value} for name, value in emulated.environment.items()]
    for number, path in enumerate(emulated.volumes):
        mounts.append({"name": f"data{number}", "mountPath": path})
        volumes.append({"name": f"data{number}", "persistentVolumeClaim": {"claimName": f"data{number}"}})
    documents: list[dict[str, Any]] = []
    for number, (path, text) in enumerate(emulated.files.items()):
        folder, _, name = path.rpartition("/")
        one = {"name": f"conf{number}", "mountPath": folder if emulated.whole_folder else path}
        mounts.append(one if emulated.whole_folder else {**one, "subPath": name})
        volumes.append({"name": f"conf{number}", "configMap": {"name": f"conf{number}"}})
        documents.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"conf{number}"}, "data": {name: text}})
    if mounts:
        container["volumeMounts"] = mounts
    spec = {"containers": [container], **({"volumes": volumes} if volumes else {})}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server"},
        "spec": {
            "selector": {"matchLabels": {"app": "server"}},
            "template": {"metadata": {"labels": {"app": "server"}}, "spec": spec},
        },
    }
    return yaml.safe_dump_all([*documents, deployment], sort_keys=False)


class Pod:
    """A pod of one container as a runtime would have it; claims live longer than it does."""

    def __init__(self, engine: Engine, emulated: Emulated, image: str, text: str, project: Path) -> None:
        self._engine = engine
        self._emulated = emulated
        self._image = image
        documents = [document for document in yaml.safe_load_all(text) if document]
        deployment = next(document for document in documents if document["kind"] == "Deployment")
        self.maps = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"}
        self.spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
        self.container: dict[str, Any] = self.spec["containers"][0]
        self._project = project
        self._claims: dict[str, str] = {}

    def security(self, key: str) -> Any:
        """What the container's security context says, or else the pod's."""
        own, pod = self.container.get("securityContext", {}), self.spec.get("securityContext", {})
        return own.get(key, pod.get(key))

    @property
    def options(self) -> Options:
        """What the runtime is asked for."""
        own = self.container.get("securityContext", {})
        limits = self.container.get("resources", {}).get("limits", {})
        user, group = self.security("runAsUser"), self.security("runAsGroup")
        memory = parse_quantity(str(limits["memory"])) if "memory" in limits else None
        assert own["capabilities"]["drop"] == ["ALL"], "what is known is used"
        return Options(
            user="" if user is None else f"{user}:{0 if group is None else group}",
            cap_add=frozenset(own["capabilities"].get("add", ())),
            no_new_privileges=own.get("allowPrivilegeEscalation") is False,
            read_only=own.get("readOnlyRootFilesystem", False),
            memory=memory / 1024**2 if memory else None,
            cpus=parse_quantity(str(limits["cpu"])) if "cpu" in limits else None,
        )

    def flags(self) -> list[str]:
        """The rest of what the runtime does; emptyDirs are new each time."""
        sysctls = {item["name"]: item["value"] for item in self.spec.get("securityContext", {}).get("sysctls", ())}
        free = sysctls.get("net.ipv4.ip_unprivileged_port_start", "1024")
        profile = (self.security("seccompProfile") or {}).get("type", "Unconfined")
        flags = [
            f"--network={self._emulated.network}",
            "--hostname=localhost",
            f"--sysctl=net.ipv4.ip_unprivileged_port_start={free}",
            *([] if profile == "RuntimeDefault" else ["--security-opt=seccomp=unconfined"]),
            *(f"--env={item['name']}={item['value']}" for item in self.container.get("env", ())),
        ]
        group = self.spec.get("securityContext", {}).get("fsGroup")
        flags += [f"--group-add={group}"] if group is not None else []
        volumes = {volume["name"]: volume for volume in self.spec.get("volumes", ())}
        for mount in self.container.get("volumeMounts", ()):
            source = self._source(volumes[mount["name"]], mount, group)
            flags.append(f"--volume={source}:{mount['mountPath']}{':ro' if 'configMap' in volumes[mount['name']] else ':nocopy'}")
        return flags

    def _source(self, volume: dict[str, Any], mount: dict[str, Any], group: int | None) -> str:
        if "configMap" in volume:
            folder = self._project / volume["name"]
            folder.mkdir(exist_ok=True)
            for name, text in self.maps[volume["configMap"]["name"]].items():
                (folder / name).write_text(text)
            return str(folder / mount.get("subPath", ""))
        if "emptyDir" in volume:
            return self._engine.volume(0, "0777" if group is None else "2777", group)
        name = volume["persistentVolumeClaim"]["claimName"]
        if name not in self._claims:
            mode = "777" if self._emulated.image in WRITES_AS_ITSELF else "755" if group is None else "775"
            self._claims[name] = self._engine.volume(0, f"0{mode}" if group is None else f"2{mode}", group)
        return self._claims[name]

    def live(self) -> None:
        """New, restarted, and again as a new pod over the same claims. Raises `Broken`."""
        container = self._start()
        try:
            self._check(container, fresh=True)
            container.restart()
            self._check(container)
            container.stop()
        finally:
            container.remove()
        container = self._start()
        try:
            self._check(container)
        finally:
            container.remove()

    def _start(self) -> Container:
        return self._engine.start(self._image, self.options, self.flags(), list(self.container.get("args", ())))

    def _check(self, container: Container, *, fresh: bool = False) -> None:
        if fresh or not self._emulated.keeps:
            container.ask(self._emulated.work, PATIENCE)
        answer = container.ask(self._emulated.ask, PATIENCE)
        if self._emulated.answer not in answer:
            raise Broken(f"answers {answer!r}: {container.log()}")
        refused = [process for process in container.processes() if self.security("runAsNonRoot") and process.uid == 0]
        if refused:
            raise Broken(f"a kubelet would refuse to start it: {refused}")


class Life(NamedTuple):
    """The life of a hardened pod, which goes on, and its manifest."""

    future: Future[None]
    text: str


def hardened(emulated: Emulated, *, unsafe: bool) -> str:
    """The Deployment of an emulation, hardened."""
    found = from_stdin(manifest(emulated).encode(), "server.yaml")
    (change,) = run(Request((found,), unsafe=unsafe)).changes
    return change.after.text


def without_amounts(text: str) -> list[Any]:
    """What a manifest says, but for amounts: these are upper bounds, and make no life of their own worth while."""
    documents = list(yaml.safe_load_all(text))
    documents[-1]["spec"]["template"]["spec"]["containers"][0].pop("resources", None)
    return documents


def begin(engine: Engine, submit: Submit, folders: pytest.TempPathFactory, _: object) -> dict[Case, Life]:
    """Begin the lives of all pods; one for what is the same in both ways."""

    def life(case: Case, text: str) -> None:
        image = engine.build_without_volumes(case.emulated.folder)
        Pod(engine, case.emulated, image, text, folders.mktemp("pod")).live()

    begun: dict[Case, Life] = {}
    for case in CASES:
        text = hardened(case.emulated, unsafe=case.unsafe)
        twin = begun.get(case._replace(unsafe=False))
        same = twin is not None and without_amounts(twin.text) == without_amounts(text)
        begun[case] = twin if same and twin is not None else Life(submit(partial(life, case, text)), text)
    return begun


@pytest.mark.engine
@pytest.mark.parametrize("unsafe", [False, True], ids=["by default", "unsafe"])
def test_hardened_pods_work(engine: Engine, lives: Mapping[str, Mapping[Case, Life]], unsafe: bool) -> None:
    mine, broken = lives[__name__], []
    for case in (case for case in CASES if case.unsafe is unsafe):
        try:
            mine[case].future.result()
        except Exception as error:
            broken.append(f"{case.id}: {error}\n{mine[case].text}")
    assert not broken, "\n\n".join(broken)
