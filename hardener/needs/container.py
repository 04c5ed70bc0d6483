"""What a container needs to keep working, by all that is known about it; where nothing is, what is usual. Knows no rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.facts.container import DEFAULT_CAPABILITIES, Container, capability
from hardener.facts.container import Mount as Mounted
from hardener.facts.instructions import podman_in
from hardener.facts.platform import DOCKER
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.needs.conditions import Mount, Situation
from hardener.needs.idle import ENTERED
from hardener.needs.needs import Limit, NeededCapability, Needs, Tmpfs
from hardener.needs.profile import BUILT_IN, EVERYWHERE, Profile, Verdict, find_profile
from hardener.needs.situation import binds_low, is_number
from hardener.policy import UNDECIDED, Policy

if TYPE_CHECKING:  # most projects have no record
    from hardener.needs.recorded import Recorded

#: A guess about an image that nobody knows. Its strength is ASSUMED, so that no fix built on it is ever SAFE.
USUAL = Evidence("what is usual; it is not known of this image", "assumed")

#: What an entrypoint uses that starts as root, hands its data to another user and steps down to it.
_USUAL_CAPABILITIES = (
    ("CHOWN", "usual for an entrypoint; not measured"),
    ("DAC_OVERRIDE", ""),
    ("SETGID", ""),
    ("SETUID", ""),
)
#: Enough for most services that serve requests: the mission's example times two.
_USUAL_MEMORY = Limit(512.0, "usual, not measured", USUAL)
_USUAL_CPU = Limit(1.0, "", USUAL)
_USUAL_PIDS = Limit(512.0, "", USUAL)
#: In a health check these become another user or change the image.
_MORE_THAN_ASKS = frozenset(
    "su su-exec gosu runuser setpriv sudo chroot apt-get apt apk yum dnf chown chmod mkdir touch tee".split()
)
#: Browsers build a sandbox of their own, with calls that the filter forbids.
_BROWSERS = frozenset(
    "chromium chromium-browser google-chrome google-chrome-stable chrome headless_shell chrome-headless-shell firefox "
    "firefox-esr microsoft-edge opera brave electron".split()
)
_FILTERED = Evidence(
    "it runs under the same filter wherever it runs with Docker",
    "moby/moby profiles/seccomp/default_linux.go@ca8db37",
    Strength.READ,
)
_USUALLY_WORKS = Verdict(EVERYWHERE, True, "", USUAL)


def needs_of(container: Container, tree: Tree, policy: Policy = UNDECIDED, record: Recorded | None = None) -> Needs:
    """What is known about a container's needs. Where nothing is, `why_not` says why and the rest is only usual.

    `tree` gives the files of the project, `record` is what runs showed of the container as it is now, which comes before what
    was read; what people decided in the `policy` stands beside it.
    """
    needs = _known_needs(container, tree, (*policy.profiles, BUILT_IN), record)
    if not policy.limits and not policy.named_users and not policy.socket_proxy:
        return needs
    from hardener.needs.decided import decided_for

    return needs._replace(decided=decided_for(container, policy, record))


def _known_needs(container: Container, tree: Tree, profiles: tuple[str, ...], record: Recorded | None) -> Needs:
    needs = _confined(_signalled(_read_needs(container, tree, profiles), container), container)
    if container.api_token.effective:
        from hardener.needs.api import api_of

        needs = needs._replace(api=api_of(needs, container, tree, situation_of(container, tree)))
    if record is None:
        return needs
    from hardener.needs.recorded import with_record

    seen = with_record(needs, record)
    return seen._replace(worked_as=None) if seen.worked_as and _is_spared_root(container, needs, tree) else seen


def _confined(needs: Needs, container: Container) -> Needs:
    """With the engine's default filter of system calls as enough, where nobody said that it is not.

    It is on by itself wherever the image runs with Docker, and what other engines call their default is the same list
    (containerd/containerd contrib/seccomp/seccomp_default.go@96929a5d3102bdc9d5d108c104ddb38c8991a789).
    """
    setting = container.seccomp_unconfined
    if not needs.holds or needs.seccomp is not None or not setting.effective or setting.written:
        return needs
    names = {name for name, _ in needs.runs} | {word.rpartition("/")[2] for word in container.command or ()}
    if not names.isdisjoint(_BROWSERS) and "--no-sandbox" not in (container.command or ()):
        return needs
    # What it does as root beyond the default is not what the filter was tried with.
    more = any(capability(item.text) not in DEFAULT_CAPABILITIES for item in container.cap_add.effective)
    if more or (needs.read is not None and not {"capabilities", "no_new_privileges"}.isdisjoint(needs.unknown)):
        return needs
    return needs._replace(seccomp=Verdict(EVERYWHERE, True, "", _FILTERED))


def _is_spared_root(container: Container, needs: Needs, tree: Tree) -> bool:
    """Whether it does not start as root although its service says nothing."""
    if container.user.effective:
        return False
    if container.build is None:
        return needs.holds and needs.root is False
    from hardener.needs.built import image_of, starts_as_root

    image = image_of(container, tree)
    return not isinstance(image, str) and starts_as_root(image, container) is False


def _signalled(needs: Needs, container: Container) -> Needs:
    """With KILL, where the engine's init stays root and hands signals on to a program that has stepped down."""
    names = {needed.name for needed in needs.capabilities or ()}
    if not container.init.effective or "SETUID" not in names or "KILL" in names:
        return needs
    place = container.init.place
    said = Evidence("init: true", f"{place.path}:{place.line}", Strength.READ if needs.holds else Strength.ASSUMED)
    kill = NeededCapability("KILL", "its init hands signals on to another account", said)
    return needs._replace(capabilities=tuple(sorted((*(needs.capabilities or ()), kill))))


def _read_needs(container: Container, tree: Tree, profiles: tuple[str, ...]) -> Needs:
    if container.image is None and container.build is None:
        return _usual(container, f"the image `{container.image_text}` is not known before the project runs")
    needs = _of_image(container, tree, profiles) if container.image is not None else _of_build(container, tree, profiles)
    besides = _besides(container, is_read=needs.read is not None)
    if besides and needs.holds:
        needs = needs._replace(holds=False, why_not=besides)
    if container.privileged.effective:
        needs = needs._replace(holds=False, why_not=needs.why_not or "it is privileged, so what it really uses cannot be told")
    if needs.holds and container.watched:
        # The engine copies nothing into a container whose root is read-only.
        watched = "whether the files that `docker compose watch` copies into it have to be written"
        needs = needs._replace(unknown={"read_only": watched, **needs.unknown})
    if needs.holds and needs.read_only is not None and needs.read_only.works and not container.read_only_root.effective:
        from hardener.needs.copied_into import copied_into

        told = copied_into(container, tree)
        if told:
            copied = f"whether files are still copied into it, as {told} says: Docker copies none into a read-only root"
            needs = needs._replace(unknown={"read_only": copied, **needs.unknown})
    if needs.holds:
        return _with_podman(needs, container, tree)
    # What it could do without, and how it is asked for its health, does not depend on the rest.
    return _usual(container, needs.why_not)._replace(
        unprivileged=needs.unprivileged, healthcheck=needs.healthcheck, heap=needs.heap, ports=needs.ports
    )


def _with_podman(needs: Needs, container: Container, tree: Tree) -> Needs:
    """Without what Podman may refuse, where the project is run by it too.

    It knows no owner of a tmpfs (containers/podman pkg/util/mount_opts.go@c6580b4), and limits no CPU time where a user without
    root was not given that controller (troubleshooting.md@c6580b4, 26).
    """
    told = podman_in(container.folder, tree) if container.platform is DOCKER else ""
    if not told:
        return needs
    refused = {"cpu": f"whether Podman, named in {told}, may limit CPU time: without root it often may not"}
    if any((mount.uid, mount.gid) != (0, 0) for mount in needs.tmpfs):
        refused["read_only"] = f"whether it is run by Podman, as {told} says, which takes no owner for a tmpfs"
    return needs._replace(unknown={**refused, **needs.unknown})


def _of_image(container: Container, tree: Tree, profiles: tuple[str, ...]) -> Needs:
    """The needs of a container whose image is pulled: by its profile, or else by the program that it is told to start."""
    assert container.image is not None
    profile = find_profile(container.image, profiles)
    if profile is not None:
        situation = situation_of(container, tree)
        needs = profile.evaluate(container.image, situation)
        if needs.holds and container.image_variables:
            from hardener.needs.other_images import what_else

            told = what_else(needs, container, situation, tree, profiles)
            if told:
                return Needs(False, told)
        if needs.holds:
            return _completed(needs, profile, container)
    else:
        needs = Needs(False, f"no profile of {container.image.familiar}")
    if container.command is None and container.entrypoint is None:
        return needs
    started = _of_program(container, tree)
    return started if started.holds or started.why_not == ENTERED else needs


def _of_build(container: Container, tree: Tree, profiles: tuple[str, ...]) -> Needs:
    """The needs of a container whose image the project builds."""
    from hardener.needs.built import image_of, is_all_that_starts  # with all that it knows of Dockerfiles

    image = image_of(container, tree)
    if isinstance(image, str):
        return Needs(False, image)
    from hardener.needs.derived import needs_of_derived

    derived = needs_of_derived(image, container, situation_of(container, tree), profiles)
    if derived is not None and derived[1].holds:
        return _completed(derived[1], derived[0], container)
    told = _of_program(container, tree)
    if derived is None:
        return told
    # Where the base image starts something of its own, or its own program is started, the profile's reason says more.
    own = not is_all_that_starts(image.stage) or any(f"`{program}`" in told.why_not for program in derived[0].programs)
    return (derived[1] if own and not told.holds else told)._replace(heap=derived[1].heap)


def _of_program(container: Container, tree: Tree) -> Needs:
    from hardener.needs.built import image_of, needs_of_program

    image = image_of(container, tree)
    return Needs(False, image) if isinstance(image, str) else needs_of_program(image, container, _usual(container, ""), tree)


def _completed(needs: Needs, profile: Profile, container: Container) -> Needs:
    """The needs with usual amounts where the profile has no figure at all.

    Too little CPU or too few processes slow a workload down, so a usual amount may be offered as a guess. Too little memory
    kills it: what a profile says of memory stands alone.
    """
    usual = _usual(container, "")
    return _serving(needs, container)._replace(
        cpu=needs.cpu or (None if profile.cpu else usual.cpu), pids=needs.pids or (None if profile.pids else usual.pids)
    )


def _besides(container: Container, *, is_read: bool) -> str:
    """What runs in the container beside its program, and may need what the program does not; `is_read`: with its health check."""
    if container.said_elsewhere:
        return container.said_elsewhere
    if container.volumes_from:
        return "what it mounts of other containers was not looked at"
    if container.hooks:
        return f"what {container.hooks[0]} runs in it was not looked at"
    words = " ".join(container.healthcheck.effective).replace(";", " ").replace("|", " ").split()
    changes = next((word for word in words if word.rpartition("/")[2] in _MORE_THAN_ASKS), "")
    if not changes and any(_is_written(word, *words[at + 1 : at + 2]) for at, word in enumerate(words)):
        changes = ">"
    if changes:
        return f"its health check does more than ask (`{changes}`)"
    if is_read or not words:
        return ""
    from hardener.needs.asking import does_more

    mounted = [mount.target for mount in container.mounts if mount.target and mount.kind not in ("volume", "tmpfs")]
    more = does_more(" ".join(container.healthcheck.effective), mounted)
    return f"its health check {more}" if more else ""


def _is_written(word: str, behind: str = "") -> bool:
    """Whether a word sends output to a file."""
    if ">" not in word:
        return False
    target = word.rpartition(">")[2] or behind
    return not target.startswith(("/dev/", "&", '"', "'"))


def situation_of(container: Container, tree: Tree) -> Situation:
    """How the container runs its image."""
    return Situation(
        user=container.user.effective,
        entrypoint=container.entrypoint,
        command=container.command,
        environment=container.environment,
        more_environment=bool(container.missing_env_files),
        offered=container.offered_variables - container.environment.keys(),
        mounts=(
            *(
                # What is no volume of this project may belong to anybody, as a bind may.
                Mount(
                    mount.target,
                    mount.kind if mount.kind in ("volume", "tmpfs") else "bind",
                    mount.read_only,
                    *_said(mount, tree),
                )
                for mount in container.mounts
            ),
            *(Mount(mount.path, "tmpfs") for mount in container.tmpfs.effective),
        ),
        first_free_port=container.first_free_port.effective,
        platform=container.platform,
    )


def _said(mount: Mounted, tree: Tree) -> tuple[str | None, tuple[str, ...]]:
    """What the mounted file, or the files of the folder, say; and the paths of those in it."""
    if mount.files is not None:
        return "\n".join(text for _, text in mount.files), tuple(path for path, _ in mount.files if path)
    return (tree.content(mount.location), tree.names(mount.location)) if mount.location else (None, ())


def _serving(needs: Needs, container: Container) -> Needs:
    """With NET_BIND_SERVICE, where root serves a port that is its own, whichever the profile knows of."""
    low = next((port for port in container.served_ports if port < container.first_free_port.effective), 0)
    if not low or not needs.root or needs.capabilities is None:
        return needs
    if any(needed.name == "NET_BIND_SERVICE" for needed in needs.capabilities):
        return needs
    said = Evidence(f"port {low} is served", f"{container.place.path}:{container.place.line}", Strength.READ)
    bind = NeededCapability("NET_BIND_SERVICE", _binds_low(container), said)
    return needs._replace(capabilities=tuple(sorted((*needs.capabilities, bind))))


def _binds_low(container: Container) -> str:
    return binds_low(container.first_free_port.effective, on_host=container.host_network.effective)


def _usual(container: Container, why_not: str) -> Needs:
    refuses = container.refuses_root is not None and container.refuses_root.effective
    starts_as_root = not refuses and (container.user.effective or "root").partition(":")[0] in ("", "0", "root")
    capabilities = [NeededCapability(name, why, USUAL) for name, why in _USUAL_CAPABILITIES] if starts_as_root else []
    if any(port < container.first_free_port.effective for port in container.served_ports):
        capabilities.append(NeededCapability("NET_BIND_SERVICE", _binds_low(container), USUAL))
    uid, _, gid = container.user.effective.partition(":")
    owner = (int(uid), int(gid) if is_number(gid) else 0) if is_number(uid) else (0, 0)
    mounted = {mount.target.rstrip("/") for mount in container.mounts} | {mount.path for mount in container.tmpfs.effective}
    return Needs(
        holds=False,
        why_not=why_not,
        root=starts_as_root,
        capabilities=tuple(sorted(capabilities)),
        no_more_capabilities=USUAL,
        tmpfs=tuple(Tmpfs(path, *owner, False, "", USUAL) for path in ("/tmp", "/run") if path not in mounted),
        read_only=_USUALLY_WORKS,
        no_new_privileges=_USUALLY_WORKS,
        memory=_USUAL_MEMORY,
        cpu=_USUAL_CPU,
        pids=_USUAL_PIDS,
    )
