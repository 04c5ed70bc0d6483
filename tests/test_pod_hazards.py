"""Rules ask the vocabulary and never the format: the same hazards in containers that are made by hand as a pod has them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import hardener.rules
from hardener.errors import CannotWrite
from hardener.facts.compose.document import ComposeFile
from hardener.facts.compose.project import ComposeProject
from hardener.facts.container import Amount, Container, Mount, PublishedPort, Restart, Setting, Variable
from hardener.facts.image import parse_image
from hardener.facts.platform import DOCKER, KUBERNETES
from hardener.facts.tree import Tree
from hardener.finding import Applicability, Change, Evidence, Finding, Place, Strength
from hardener.needs.needs import Limit, Needs, WorkedAs
from hardener.needs.profile import EVERYWHERE, Account, Healthcheck, Port, Start, Verdict
from hardener.rules import load
from hardener.source import Source

RULES = {rule.id: rule for rule in load("container")}
HERE = Place("pod.yaml", 7, 3)
READ = Evidence("it was read", "its source", Strength.READ)
POD = ("pod/web", "pod.yaml#pod/web")
REDIS = Account("redis", 999, 1000)
NOTHING = Needs(False, "nobody knows this image")


class Written(Setting[Any]):
    """A setting that can be written; the operation is its name and value."""

    def __init__(self, name: str, effective: Any, *, written: bool = False, wording: str = "", pod: bool = False) -> None:
        super().__init__(effective, written=written, place=HERE, wording=wording, whose=POD if pod else None)
        self.name = name

    def to(self, new: Any) -> tuple[Change, ...]:
        return (Change("pod.yaml", (self.name, new)),)


def container(image: str = "redis:7", **settings: Any) -> Container:
    """A container of the pod `web`, as Kubernetes runs it by default but for these settings."""
    source = Source("pod.yaml", f"services:\n  cache:\n    image: {image}\n")
    (found,) = ComposeProject({"/p/pod.yaml": ComposeFile(source)}, Tree(())).containers
    found.subject, found.key = "pod/web (cache)", "pod.yaml#pod/web#cache"
    found.platform = KUBERNETES
    found.image = parse_image(image)
    found.user = Written("user", "", wording="runAsUser:")
    found.refuses_root = Written("refuses_root", False)
    found.volume_group = Written("volume_group", "", pod=True)
    found.first_free_port = Written("first_free_port", 1024, pod=True)
    found.seccomp_unconfined = Written("seccomp", True, pod=True)
    found.api_token = Written("api_token", True, pod=True)
    found.restart = Setting(Restart("always"), written=False, place=HERE)
    for name, value in settings.items():
        setattr(found, name, value)
    return found


def steps_down(**more: Any) -> Needs:
    """The needs of an image that begins as root and ends as `redis`."""
    start = Start(EVERYWHERE, True, REDIS, "gosu", "its entrypoint", READ)
    works = Verdict(EVERYWHERE, True, "it does", READ)
    return Needs(True, root=True, account=REDIS, start=start, runs_as=READ, user=works, capabilities=(), **more)


def mount(kind: str, target: str, source: str = "data", *, read_only: bool = False) -> Mount:
    return Mount(kind, source, target, read_only, HERE)


def findings(rule: str, asked: Container, needs: Needs = NOTHING) -> list[Finding]:
    check = RULES[rule].container
    assert check is not None
    return list(check(asked, needs))


def the(rule: str, asked: Container, needs: Needs = NOTHING) -> Finding:
    (found,) = findings(rule, asked, needs)
    return found


def wants(finding: Finding) -> dict[str, Any]:
    """What a fix wants, by setting."""
    assert finding.fix is not None
    return dict(change.operation for want in finding.fix.wants for change in want.setting.to(want.value))


# No rule knows a format.


@pytest.mark.parametrize("path", sorted(Path(hardener.rules.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_no_rule_asks_which_format_or_platform_it_looks_at(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            named = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            assert not any(re.search("compose|kubernetes|platform", name, re.IGNORECASE) for name in named)
        if isinstance(node, ast.Compare):
            assert not any(isinstance(part, ast.Attribute) and part.attr == "platform" for part in (node.left, *node.comparators))
            assert "platform.name" not in ast.unparse(node)


# What a pod's containers share is said once, of the pod, in words of the platform.


@pytest.mark.parametrize(
    ("rule", "name", "wording", "instead"),
    [
        ("host-network", "host_network", "hostNetwork: true", "reachable through a Service"),
        ("host-pid", "host_pid", "hostPID: true", "shareProcessNamespace"),
        ("host-ipc", "host_ipc", "hostIPC: true", "medium: Memory"),
        ("host-user-namespace", "host_user_namespace", "hostUsers: true", "hostUsers: false"),
    ],
)
def test_a_shared_namespace_is_the_pods(rule: str, name: str, wording: str, instead: str) -> None:
    shared = Setting(True, written=True, place=HERE, wording=wording, whose=POD)
    pod = [container(image, **{name: shared}) for image in ("redis:7", "someone/sidecar:1")]
    pod[1].subject, pod[1].key = "pod/web (sidecar)", "pod.yaml#pod/web#sidecar"
    one, other = (the(rule, each) for each in pod)
    assert one == other, "reported once"
    assert (one.subject, one.key) == POD
    assert wording in one.advice or rule == "host-user-namespace"
    assert instead in one.advice


def test_a_user_namespace_that_nobody_refused_is_the_engines_business() -> None:
    assert not findings("host-user-namespace", container(host_user_namespace=Setting(True, written=False, place=HERE)))


def test_sysctls_are_the_pods() -> None:
    asked = container(unsafe_sysctls=Setting(("kernel.msgmax", "net.core.somaxconn"), written=True, place=HERE, whose=POD))
    found = the("unsafe-sysctl", asked)
    assert (found.subject, found.key, found.fix) == (*POD, None)
    assert "kernel.msgmax, net.core.somaxconn" in found.message
    assert not findings("unsafe-sysctl", container())


# The user, with what goes along with it.


def test_a_user_on_its_own_is_enough_where_nothing_is_mounted_and_no_port_is_low() -> None:
    found = the("root-user", container(), steps_down(ports=(Port(EVERYWHERE, 6379, "tcp", "", READ),)))
    assert wants(found) == {"user": "999:1000"}
    assert found.fix is not None
    assert found.fix.applicability is Applicability.SAFE


@pytest.mark.parametrize("known", ["served", "needed"])
def test_a_low_port_is_freed(known: str) -> None:
    asked = container(served_ports=(80,) if known == "served" else ())
    needs = steps_down(ports=(Port(EVERYWHERE, 80, "tcp", "", READ),) if known == "needed" else ())
    assert wants(the("root-user", asked, needs)) == {"user": "999:1000", "first_free_port": 0}
    asked.first_free_port = Written("first_free_port", 80)
    assert wants(the("root-user", asked, needs)) == {"user": "999:1000"}


def test_a_low_port_on_the_hosts_network_cannot_be_freed() -> None:
    asked = container(served_ports=(443,), host_network=Setting(True, written=True, place=HERE, whose=POD))
    found = the("root-user", asked, steps_down())
    assert wants(found) == {"user": "999:1000"}
    assert found.fix is not None
    assert "may not bind a port below 1024" in found.fix.missing


def test_what_was_seen_to_work_gets_its_port_too() -> None:
    needs = Needs(True, worked_as=WorkedAs(1, 2, READ), ports=(Port(EVERYWHERE, 80, "tcp", "", READ),))
    assert wants(the("root-user", container(), needs)) == {"user": "1:2", "first_free_port": 0}


@pytest.mark.parametrize("kind", ["volume", "external"])
def test_what_is_kept_on_volumes_is_handed_to_the_group(kind: str) -> None:
    found = the("root-user", container(mounts=(mount(kind, "/data"),)), steps_down())
    assert wants(found) == {"user": "999:1000", "volume_group": "1000"}
    assert found.fix is not None
    assert found.fix.applicability is Applicability.UNSAFE
    assert "handed to the group 1000" in found.fix.migration
    assert "chown" not in found.fix.migration


@pytest.mark.parametrize("other", [mount("bind", "/data", "/srv/data"), mount("volume", "/data", read_only=True)])
def test_what_no_group_helps_with_gets_none(other: Mount) -> None:
    assert wants(the("root-user", container(mounts=(other,)), steps_down())) == {"user": "999:1000"}


def test_a_group_that_somebody_chose_stays() -> None:
    asked = container(mounts=(mount("volume", "/data"),), volume_group=Written("volume_group", "2000", written=True))
    assert wants(the("root-user", asked, steps_down())) == {"user": "999:1000"}


def test_a_folder_of_the_host_changes_hands_by_hand() -> None:
    from hardener.needs.needs import Written as NeededPlace

    needs = steps_down(writes=(NeededPlace("/data", "data", False, "", READ),))
    found = the("root-user", container(mounts=(mount("bind", "/data", "/srv/data"), mount("volume", "/more"))), needs)
    assert found.fix is not None
    assert "chown -R 999:1000 /srv/data" in found.fix.migration
    assert "files in /more are handed to the group 1000" in found.fix.migration


def test_root_by_name_is_told_in_the_words_of_the_setting() -> None:
    found = the("root-user", container(user=Written("user", "0", written=True, wording="runAsUser:")))
    assert "`runAsUser:`" in found.advice


@pytest.mark.parametrize("user", ["", "0"])
def test_what_would_not_be_started_as_root_does_not_run_as_root(user: str) -> None:
    asked = container(user=Written("user", user), refuses_root=Written("refuses_root", True))
    assert not findings("root-user", asked, steps_down())


# Root is refused.


def test_a_number_in_the_file_is_enough_to_refuse_root() -> None:
    found = the("root-not-refused", container(user=Written("user", "1000:1000", written=True)))
    assert wants(found) == {"refuses_root": True}
    assert found.fix is not None
    assert found.fix.applicability is Applicability.SAFE


def test_a_name_in_the_image_becomes_numbers() -> None:
    found = the("root-not-refused", container(), Needs(True, root=False, account=REDIS, runs_as=READ))
    assert wants(found) == {"refuses_root": True, "user": "999:1000"}
    assert found.fix is not None
    assert found.fix.applicability is Applicability.SAFE


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        (Needs(True, root=False, runs_as=READ), "is a number: a name does not start"),
        (NOTHING, "nobody knows this image"),
        (Needs(True), "is a number that is not root"),
        (Needs(False, root=False, account=REDIS), "is a number that is not root"),
    ],
)
def test_where_numbers_are_not_known_root_is_refused_on_request(needs: Needs, missing: str) -> None:
    found = the("root-not-refused", container(), needs)
    assert wants(found) == {"refuses_root": True}
    assert found.fix is not None
    assert found.fix.applicability is Applicability.UNSAFE
    assert missing in found.fix.missing


def test_what_somebody_wrote_is_not_turned_around_unasked() -> None:
    asked = container(user=Written("user", "7"), refuses_root=Written("refuses_root", False, written=True))
    found = the("root-not-refused", asked)
    assert found.fix is not None
    assert found.fix.missing == "why somebody wrote that root is not refused"


@pytest.mark.parametrize("settings", [{"user": "0"}, {"user": "0:5"}, {"user": "root"}, {"refuses_root": True}])
def test_nothing_is_said_of_root_itself_and_of_what_is_refused(settings: dict[str, Any]) -> None:
    asked = container(**{name: Written(name, value) for name, value in settings.items()})
    assert not findings("root-not-refused", asked, Needs(True, root=False, account=REDIS))


def test_nothing_is_said_of_images_that_are_root_and_where_root_cannot_be_refused() -> None:
    assert not findings("root-not-refused", container(), steps_down())
    assert not findings("root-not-refused", container(refuses_root=None))


# Tokens.


@pytest.mark.parametrize(
    ("needs", "applicability", "missing"),
    [
        (Needs(True, api=Verdict(EVERYWHERE, True, "", READ)), Applicability.SAFE, ""),
        (Needs(True, api=Verdict(EVERYWHERE, True, "", READ, "a plugin may")), Applicability.UNSAFE, "a plugin may"),
        (Needs(True), Applicability.UNSAFE, "whether it uses the Kubernetes API"),
        (NOTHING, Applicability.UNSAFE, "nobody knows this image"),
    ],
)
def test_a_token_goes_where_it_is_known_not_to_be_read(needs: Needs, applicability: Applicability, missing: str) -> None:
    asked = container()
    found = the("mounted-service-account-token", asked, needs)
    assert wants(found) == {"api_token": False}
    assert found.fix is not None
    assert (found.fix.applicability, found.fix.missing) == (applicability, missing)
    assert found.key == asked.key, "it has to be right for each container of the pod, so each says so"


def test_a_token_that_is_read_stays() -> None:
    found = the("mounted-service-account-token", container(), Needs(True, api=Verdict(EVERYWHERE, False, "it lists pods", READ)))
    assert found.fix is None
    assert "it lists pods" in found.message
    assert "Role" in found.advice


def test_a_token_that_somebody_asked_for_stays_unless_asked() -> None:
    asked = container(api_token=Written("api_token", True, written=True))
    found = the("mounted-service-account-token", asked, Needs(True, api=Verdict(EVERYWHERE, True, "", READ)))
    assert found.fix is not None
    assert found.fix.applicability is Applicability.UNSAFE
    assert not findings("mounted-service-account-token", container(api_token=Written("api_token", False)))


# The platform's defaults and words.


def test_a_profile_that_nobody_asked_for_is_asked_for() -> None:
    found = the("unconfined-seccomp", container(), Needs(True, seccomp=Verdict(EVERYWHERE, True, "", READ)))
    assert found.message == "runs without the container runtime's seccomp profile: Kubernetes applies none unless it is asked for"
    assert found.fix is not None
    assert found.fix.summary == "ask for the container runtime's default seccomp profile"
    assert found.fix.applicability is Applicability.SAFE
    assert wants(found) == {"seccomp": False}
    unknown = the("unconfined-seccomp", container(), NOTHING)
    assert unknown.fix is not None
    assert unknown.fix.applicability is Applicability.UNSAFE


def test_masks_come_back_on_request() -> None:
    asked = container(unmasked_proc=Written("unmasked_proc", True, written=True, wording="procMount: Unmasked"))
    found = the("unmasked-proc", asked)
    assert wants(found) == {"unmasked_proc": False}
    assert found.fix is not None
    assert found.fix.applicability is Applicability.UNSAFE
    asked.privileged = Written("privileged", True)
    assert not findings("unmasked-proc", asked)


def test_a_health_check_of_the_image_counts_only_where_it_is_asked() -> None:
    own = Needs(True, healthcheck=Healthcheck(EVERYWHERE, True, "", "", READ))
    assert "livenessProbe" in the("missing-healthcheck", container(), own).advice
    assert not findings("missing-healthcheck", container(platform=DOCKER), own)


def test_a_health_check_is_written_as_the_platform_reads_it() -> None:
    known = Needs(True, healthcheck=Healthcheck(EVERYWHERE, False, "test \"$X\" = 'y'", "", READ))
    assert "exec: {command: [sh, -c, 'test \"$X\" = ''y''']}" in the("missing-healthcheck", container(), known).advice
    assert "`test: 'test \"$$X\" = ''y'''`" in the("missing-healthcheck", container(platform=DOCKER), known).advice


@pytest.mark.parametrize(
    ("rule", "needs", "advice"),
    [
        ("unlimited-memory", Needs(True, unknown={"memory": "not measured"}), "measure it under load and set a limit"),
        ("unlimited-memory", Needs(True, unknown={"memory": "grows"}), "measure it under load and set a limit (grows)"),
        ("excess-capabilities", Needs(True, unknown={"capabilities": "it forks"}), "find out which it uses (it forks)"),
        ("writable-root-filesystem", Needs(True), "find out what it writes"),
        (
            "writable-root-filesystem",
            Needs(True, read_only=Verdict(EVERYWHERE, False, "writes /x, where nothing is mounted", READ)),
            "see first to what keeps it from being read-only: writes /x, where nothing is mounted",
        ),
    ],
)
def test_what_is_to_be_done_is_something_to_do(rule: str, needs: Needs, advice: str) -> None:
    """A page says "To do:" before it."""
    assert the(rule, container(platform=DOCKER), needs).advice == advice


def test_a_limit_is_written_in_the_units_of_the_platform() -> None:
    needs = Needs(True, memory=Limit(512, "", READ))
    for platform, text in ((KUBERNETES, "512Mi"), (DOCKER, "512M")):
        (want,) = the("unlimited-memory", container(platform=platform, memory=Written("memory", None)), needs).fix.wants  # type: ignore[union-attr]
        assert want.value == Amount(512 * 1024 * 1024, text, "")


@pytest.mark.parametrize(("platform", "owner"), [(KUBERNETES, ""), (DOCKER, "uid=999,gid=1000")])
def test_a_tmpfs_has_an_owner_where_it_can_have_one(platform: Any, owner: str) -> None:
    from hardener.needs.needs import Tmpfs

    needs = Needs(
        True, read_only=Verdict(EVERYWHERE, True, "", READ), tmpfs=(Tmpfs("/run/redis", 999, 1000, False, "its socket", READ),)
    )
    asked = container(platform=platform, read_only_root=Written("read_only", False), tmpfs=Written("tmpfs", ()))
    found = the("writable-root-filesystem", asked, needs)
    assert [one.options for one in wants(found)["tmpfs"]] == [owner]
    assert found.fix is not None
    assert platform.tmpfs in found.fix.summary


def test_what_everybody_may_write_needs_no_owner() -> None:
    from hardener.facts.container import Tmpfs

    asked = container(tmpfs=Written("tmpfs", (Tmpfs("/run", ""),)))
    found = the("root-user", asked, steps_down())
    assert found.fix is not None
    assert found.fix.missing == ""
    asked.platform, asked.volume_group = DOCKER, None
    found = the("root-user", asked, steps_down())
    assert found.fix is not None
    assert "which is root's" in found.fix.missing


@pytest.mark.parametrize(
    ("rule", "settings", "words"),
    [
        ("port-on-all-interfaces", {"published_ports": (PublishedPort("", "6379", "6379", "tcp", HERE),)}, "through a Service"),
        ("secret-in-environment", {"variables": (Variable("REDIS_PASSWORD", "hunter2hunter2", HERE),)}, "secretKeyRef"),
        ("shared-mount-propagation", {"mounts": (Mount("bind", "/x", "/x", False, HERE, "", "rshared"),)}, "HostToContainer"),
        ("sensitive-host-mount", {"mounts": (mount("bind", "/etc/kubernetes/manifests", "/etc/kubernetes/manifests"),)}, "API"),
        ("mutable-image-tag", {"image": "redis"}, "kubectl"),
    ],
)
def test_the_way_out_is_one_that_the_platform_has(rule: str, settings: Any, words: str) -> None:
    advice = the(rule, container(**settings)).advice
    assert words in advice
    assert not re.search("Compose|docker|/run/secrets|`ports`|`:ro`", advice)


def test_a_pod_that_is_always_started_again_is_no_job() -> None:
    asked = container()
    asked.subject = "job/migrate"
    assert not findings("unbounded-restart", asked)


def test_what_nobody_said_how_to_write_is_refused() -> None:
    with pytest.raises(CannotWrite, match="no way to write `hostPID: true`"):
        Setting(True, written=True, place=HERE, wording="hostPID: true").to(False)
