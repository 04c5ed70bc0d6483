"""Projects that nobody wrote: whatever Compose can read, the tool changes as planned or not at all.

HARDEN_EXAMPLES sets how many are tried, such as 3000 for a long run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from compose_oracle import ask_both, differences, limits, power
from conftest import harden
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from hardener.report import Status

EXAMPLES = int(os.environ.get("HARDEN_EXAMPLES", "60"))
PLANNED = {
    ("cap_drop",),
    ("cap_add",),
    ("security_opt",),
    ("read_only",),
    ("tmpfs",),
    ("mem_limit",),
    ("cpus",),
    ("pids_limit",),
    ("user",),
    ("deploy", "resources", "limits"),
}
KNOWN = "postgres:16"
UNKNOWN = ("example/app:1.4", "example/other:2", "${IMAGE:-example/app:3}", "${REGISTRY}/app")


class Marked(NamedTuple):
    """A value with an anchor or a tag before it."""

    mark: str
    value: Any


class Flow(NamedTuple):
    """A value in braces or brackets."""

    value: Any


class Style(NamedTuple):
    """How a file is laid out."""

    step: int
    offset: int
    quote: str
    comments: bool
    newline: str
    bom: bool
    final_newline: bool


def render(value: dict[str, Any], style: Style) -> bytes:
    """A file in a style."""
    text = "\n".join(_mapping(value, 0, style)) + ("\n" if style.final_newline else "")
    return (("\ufeff" if style.bom else "") + text).replace("\n", style.newline).encode()


def _mapping(mapping: dict[str, Any], indent: int, style: Style) -> Iterator[str]:
    for number, (key, value) in enumerate(mapping.items()):
        if style.comments and number % 3 == 1:
            yield " " * indent + f"# about {key}"
        start = " " * indent + (key if key.startswith(("<<", "x-")) else style.quote + key + style.quote) + ":"
        if isinstance(value, Marked):
            start, value = f"{start} {value.mark}", value.value
        if isinstance(value, dict) and value:
            yield start
            yield from _mapping(value, indent + style.step, style)
        elif isinstance(value, list) and value:
            yield start
            yield from (" " * (indent + style.offset) + f"- {item}" + (" # why" if style.comments else "") for item in value)
        else:
            yield f"{start} {_flow(value)}".rstrip()


def _flow(value: Any) -> str:
    if isinstance(value, Flow):
        return _flow(value.value)
    if isinstance(value, Marked):
        return f"{value.mark} {_flow(value.value)}"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(f'"{item}"' if ":" in item else item for item in value) + "]"
    return f'"{value}"' if "{" in value else value


def some(*items: str) -> st.SearchStrategy[Any]:
    """A list of some of the items, in lines or in brackets."""
    lists = st.lists(st.sampled_from(items), unique=True, min_size=1, max_size=3)
    return lists | lists.map(Flow)


def nested(*parts: tuple[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """A mapping with at least one of the parts."""
    mappings = st.one_of(
        *(
            st.fixed_dictionaries({name: value}, optional={other: its for other, its in parts if other != name})
            for name, value in parts
        )
    )
    return mappings | mappings.map(Flow)


AMOUNTS = st.sampled_from(["64M", "1g", "300m"])
SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "cap_drop": some("NET_RAW", "MKNOD", "CAP_SETPCAP", "ALL", "chown"),
    "cap_add": some("CHOWN", "SYS_PTRACE", "NET_ADMIN", "cap_setuid"),
    "security_opt": some(
        "no-new-privileges:true", "no-new-privileges=false", "no-new-privileges", "label:disable", "apparmor:unconfined"
    ),
    "read_only": st.sampled_from(["true", "false", "${READ_ONLY:-false}"]),
    "tmpfs": some("/tmp", "/cache:size=1m", "/run:uid=5,gid=5") | st.sampled_from(["/tmp", "/scratch"]),
    "privileged": st.sampled_from(["true", "false"]),
    "user": st.sampled_from(['"1000:1000"', "postgres", "root", '"5"']),
    "volumes": some("data:/var/lib/postgresql/data", "./tmp:/tmp", "/var/run/docker.sock:/var/run/docker.sock"),
    "network_mode": st.sampled_from(["host", "bridge"]),
    "restart": st.just("always"),
    "command": st.sampled_from(["sleep infinity", '["postgres", "-c", "shared_buffers=1GB"]']),
    "environment": st.just(Flow({"POSTGRES_PASSWORD": "x"})),
    "cpu_quota": st.just("50000"),
    "mem_reservation": AMOUNTS,
}
TOP_LIMITS: dict[str, st.SearchStrategy[Any]] = {
    "mem_limit": AMOUNTS,
    "cpus": st.sampled_from(["0.5", '"1"', "0"]),
    "pids_limit": st.sampled_from(["100", "-1"]),
}
LIMITS = nested(("cpus", st.just('"0.5"')), ("memory", AMOUNTS), ("pids", st.just("50")))
DEPLOY: dict[str, st.SearchStrategy[Any]] = {
    "deploy": nested(
        ("replicas", st.just("1")), ("resources", nested(("limits", LIMITS), ("reservations", nested(("memory", AMOUNTS)))))
    )
}
STYLES = st.builds(
    Style,
    step=st.sampled_from([2, 2, 4, 3]),
    offset=st.sampled_from([0, 2]),
    quote=st.sampled_from(["", "", '"', "'"]),
    comments=st.booleans(),
    newline=st.sampled_from(["\n", "\n", "\r\n"]),
    bom=st.sampled_from([False, False, False, True]),
    final_newline=st.booleans(),
)


@st.composite
def projects(draw: st.DrawFn) -> dict[str, bytes]:
    """A base file, perhaps with an override file, an overlay, and an .env."""
    dialect = draw(st.sampled_from([TOP_LIMITS, DEPLOY, DEPLOY, {}, TOP_LIMITS | DEPLOY]))
    choices = SETTINGS | dialect

    def body(size: int, marks: list[str] | None = None) -> dict[str, Any]:
        keys = draw(st.lists(st.sampled_from(sorted(choices)), unique=True, max_size=size))
        result = {key: draw(choices[key]) for key in keys}
        for key, value in result.items():
            if marks is not None and isinstance(value, (list, dict, Flow)) and draw(st.integers(0, 5)) == 0:
                if marks and draw(st.booleans()) and any(mark.startswith(f"{key}-") for mark in marks):
                    result[key] = "*" + draw(st.sampled_from([mark for mark in marks if mark.startswith(f"{key}-")]))
                else:
                    marks.append(f"{key}-{len(marks)}")
                    result[key] = Marked("&" + marks[-1], value)
        return result

    root: dict[str, Any] = {}
    anchors: list[str] = []
    marks: list[str] = []
    for number in range(draw(st.integers(0, 2))):
        anchors.append(f"t{number}")
        root[f"x-t{number}"] = Marked(f"&t{number}", body(3, marks) or {"restart": "always"})
    services: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 4))):
        name = f"s{number}"
        service: dict[str, Any] = {}
        if anchors and draw(st.booleans()):
            chosen = draw(st.lists(st.sampled_from(anchors), unique=True, min_size=1, max_size=2))
            service["<<"] = f"*{chosen[0]}" if len(chosen) == 1 else "[" + ", ".join(f"*{one}" for one in chosen) + "]"
        elif services and draw(st.integers(0, 2)) == 0:
            other = draw(st.sampled_from(sorted(services)))
            service["extends"] = draw(st.sampled_from([other, Flow({"service": other})]))
        if not (service and draw(st.booleans())):
            service["image"] = draw(st.sampled_from([KNOWN, KNOWN, *UNKNOWN]))
        service |= body(4, marks)
        if draw(st.integers(0, 3)) == 0:
            services[name] = Marked(f"&{name}", service)
            anchors.append(name)
        else:
            services[name] = Flow(service) if draw(st.integers(0, 7)) == 0 and "image" in service else service
    root["services"] = services
    root["volumes"] = {"data": ""}
    files = {"docker-compose.yml": render(root, draw(STYLES))}
    for other in ("docker-compose.override.yml", "docker-compose.prod.yml"):
        if draw(st.integers(0, 2)) == 0:
            over = {
                name: draw(overlays(body)) for name in draw(st.lists(st.sampled_from(sorted(services)), unique=True, min_size=1))
            }
            files[other] = render({"services": over}, draw(STYLES))
    if draw(st.integers(0, 3)) == 0:
        files[".env"] = b"REGISTRY=registry.example.com\nREAD_ONLY=true\n"
    return files


@st.composite
def overlays(draw: st.DrawFn, body: Any) -> Any:
    """What a file on top says of a service: little, and perhaps with Compose's own tags."""
    service = body(2)
    for key, value in service.items():
        tag = draw(st.sampled_from(["", "", "", "", "!override", "!reset"]))
        if tag == "!reset":
            service[key] = "!reset null"
        elif tag and isinstance(value, (list, Flow)):
            service[key] = Marked(tag, value)
    if draw(st.integers(0, 5)) == 0:
        service["image"] = draw(st.sampled_from([KNOWN, *UNKNOWN]))
    return service or ""


def command_lines(files: dict[str, bytes]) -> Iterator[tuple[str, ...]]:
    """The ways in which the files may be given to Compose."""
    yield ("docker-compose.yml",)
    for name in ("docker-compose.override.yml", "docker-compose.prod.yml"):
        if name in files:
            yield ("docker-compose.yml", name)


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, ...]]:
    """The paths at which two models differ and must not."""
    return {
        path
        for path in differences(before, after)
        if not path[0].startswith("x-")
        and not (path[0] == "services" and any(path[2 : 2 + len(keys)] == keys for keys in PLANNED))
    }


def show(files: dict[str, bytes]) -> str:
    return "\n".join(f"--- {name}\n{data.decode()}" for name, data in files.items())


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="HARDEN_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, *([Phase.shrink] if "HARDEN_EXAMPLES" in os.environ else [])],  # each step of it asks Compose
)
@given(projects())
def test_what_compose_reads_is_changed_as_planned_or_not_at_all(files: dict[str, bytes]) -> None:
    event(f"accepted command lines: {judge(files)}")


def judge(files: dict[str, bytes]) -> int:
    """Run the tool on a project, and let Compose say what became of it. How many command lines it accepted before."""
    accepted = 0
    with tempfile.TemporaryDirectory() as folder:
        result = harden(Path(folder, "once"), files)
        again = harden(Path(folder, "again"), result.files)
        safe = harden(Path(folder, "safe"), files, unsafe=False)
    assert again.files == result.files, show(files)
    assert not any(outcome.status is Status.APPLIED for outcome in again.report.outcomes), show(files)
    for names in command_lines(files):
        was, now = ask_both(files, result.files, *names)
        if was.model is None:
            continue
        accepted += 1
        report = f"{names}\n{show(files)}\n=== after\n{show(result.files)}"
        assert now.model is not None, f"{now.error}\n{report}"
        assert changed(was.model, now.model) == set(), report
        for name, service in was.model["services"].items():
            assert not power(now.model["services"][name]).more_than(power(service)), f"{name} is weaker\n{report}"
            lost = limits(service).items() - limits(now.model["services"][name]).items()
            assert not lost, f"{name}: other limits {lost}\n{report}"
        _, careful = ask_both(files, safe.files, *names)
        report = f"{names}\n{show(files)}\n=== after\n{show(safe.files)}"
        assert careful.model is not None, f"{careful.error}\n{report}"
        for name, service in was.model["services"].items():
            if service.get("image") != KNOWN:
                moot = {"cap_add", "cap_drop"} if power(service).privileged else set()  # a privileged container keeps them all
                one, other = (
                    {k: v for k, v in model.items() if k not in moot} for model in (service, careful.model["services"][name])
                )
                assert one == other, f"{name} is not known, yet changed\n{report}"
    return accepted


# Projects that were found by it, and that nothing else has.

FOUND = {
    "limits in two dialects within one pass": """
services:
  s0: &s0 {image: example/app:3, privileged: true}
  s1: &s1
    image: example/app:1.4
    deploy: {resources: {reservations: {memory: 300m}}}
  s2:
    <<: [*s0, *s1]
    image: postgres:16
""",
    "extends that comes through a merge": """
services:
  s0: {image: example/app:1.4}
  s1: &s1 {image: example/app:1.4}
  s2: &s2 {extends: s0, image: postgres:16}
  s3:
    <<: [*s1, *s2]
    image: postgres:16
""",
    "a tmpfs that a reader has a volume at": """
services:
  s0: &s0 {image: example/app:1.4}
  s1: {extends: s0, volumes: ["./tmp:/tmp"]}
  s2: {<<: *s0, volumes: ["./tmp:/tmp"]}
""",
    "the same item from above and from below": """
services:
  s0: {image: example/app:1.4}
  s1: {extends: s0, security_opt: ["no-new-privileges=false"]}
""",
    "capabilities for one that has none": """
services:
  s0: &s0 {image: example/app:1.4}
  s1: {<<: *s0, cap_drop: [ALL]}
  s2: {extends: s0, cap_drop: [CHOWN]}
""",
    "a dialect for each file": """
x-t: &t
  deploy: {replicas: 1}
services:
  s0:
    <<: *t
    image: postgres:16
--- docker-compose.override.yml
services:
  s0:
    deploy: {replicas: 1}
    image: example/app:1.4
""",
    "lists and mappings of a known image that an unknown one uses too": """
services:
  s0:
    image: postgres:16
    cap_drop: &drop [NET_RAW]
    security_opt: &options ["label:disable"]
    deploy: &deploy {resources: {limits: {memory: 5G}}}
  s1: {image: example/app:1.4, cap_drop: *drop, security_opt: *options, deploy: *deploy}
""",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_right(name: str) -> None:
    base, _, above = FOUND[name].partition("--- docker-compose.override.yml\n")
    files = {"docker-compose.yml": base.encode()} | ({"docker-compose.override.yml": above.encode()} if above else {})
    assert judge(files) == len(files)
