"""What runs containers, where that makes a difference to what they need and to what people write. Knows no file and no rule."""

from __future__ import annotations

from hardener.record import NamedTuple


class Platform(NamedTuple):
    """The ways of what runs the containers. Words in it stand where a person is told what to write; `{}` are filled in."""

    name: str
    #: What is asked there for a default profile.
    engine: str
    #: Whether what an image declares as a VOLUME can be written beside a read-only root.
    declared_volumes: bool
    #: Whether a tmpfs may have an owner and a sticky bit. If not, it is root's, everybody may write it, and it is on disk.
    owned_tmpfs: bool
    #: What a tmpfs is called there.
    tmpfs: str
    #: How a mebibyte and a gibibyte are written behind a number.
    units: tuple[str, str]
    #: Whether the image's own health check is asked.
    image_healthchecks: bool
    #: How another container reaches one at `{address}`, its name and port, when nothing is published.
    reached: str
    #: What opens the port `{container}`, as `{host}` with its `{protocol}`, to the host alone.
    for_host: str
    #: What makes `{ports}` reachable from outside.
    publish: str
    #: How a health check is written that runs `{yaml}`, a command of a shell between quotes of YAML.
    healthcheck: str
    #: How one is written where the command is not known.
    any_healthcheck: str
    #: How a dollar is written in a command, so that it reaches the shell.
    dollar: str
    #: Where more shared memory comes from.
    shared_memory: str
    #: How a container shares memory, and sees the processes, of one other container and not of the host.
    share_memory: str
    share_processes: str
    #: How a container stays within the user namespace that it would otherwise have.
    mapped_users: str
    #: How a mount is written that shows what the host mounts there, and not the other way round; `{slave}` is rslave or slave.
    one_way_mount: str
    #: How a secret is given as a file, that the variable `{name}` points to.
    secret_file: str
    #: How a secret is given as a variable `{name}`.
    secret_variable: str
    #: How the digest of an image that runs is found out.
    digest: str
    #: How something is started again, but not without end.
    bounded_restart: str
    #: How somebody gets an identity at the API of what runs it that may only do what it asks for; empty without such an API.
    identity: str


#: Docker with Compose. Declared volumes are anonymous ones (moby, container/container.go: `parseVolumes`).
DOCKER = Platform(
    name="Docker",
    engine="engine",
    declared_volumes=True,
    owned_tmpfs=True,
    tmpfs="tmpfs",
    units=("M", "G"),
    image_healthchecks=True,
    reached="services of this project reach it as {address} without",
    for_host='write "127.0.0.1:{host}:{container}{protocol}"',
    publish="publish {ports} under `ports`",
    healthcheck="write `healthcheck:` with `test: {yaml}`",
    any_healthcheck="write `healthcheck` with a `test` that asks what its clients ask",
    dollar="$$",
    shared_memory="set `shm_size`, such as 1gb for browsers or 8gb for model servers",
    share_memory="write `ipc: shareable` there and `ipc: service:NAME` here",
    share_processes="write `pid: service:NAME`",
    mapped_users="remove `userns_mode: host`",
    one_way_mount="write `{slave}`",
    secret_file="write `{name}: /run/secrets/...` and give the value as a Compose secret",
    secret_variable="write `${{{name}:?}}`, which stops without a value, keep the value in an .env file outside version control",
    digest="docker image inspect --format '{{index .RepoDigests 0}}' IMAGE",
    bounded_restart="write `restart: on-failure:5`, and let it wait for what it needs by `depends_on` with "
    "`condition: service_healthy`",
    identity="",
)

#: Kubernetes. An emptyDir is root's with mode 0777 (kubernetes, pkg/volume/emptydir/empty_dir.go: `perm`); CRI-O makes
#: declared volumes part of the root file system (its `image_volumes = "mkdir"`), containerd does not; health checks of
#: images are not asked, only probes.
KUBERNETES = Platform(
    name="Kubernetes",
    engine="container runtime",
    declared_volumes=False,
    owned_tmpfs=False,
    tmpfs="an emptyDir",
    units=("Mi", "Gi"),
    image_healthchecks=False,
    reached="pods reach it through a Service without",
    for_host="write `hostIP: 127.0.0.1` beside the `hostPort`",
    publish="make {ports} reachable through a Service",
    healthcheck="write `livenessProbe:` with `exec: {{command: [sh, -c, {yaml}]}}`",
    any_healthcheck="write a `livenessProbe` and a `readinessProbe` that ask what its clients ask",
    dollar="$",
    shared_memory="mount an `emptyDir` with `medium: Memory` at /dev/shm",
    share_memory="run both in one pod, whose containers share it",
    share_processes="run both in one pod with `shareProcessNamespace: true`",
    mapped_users="write `hostUsers: false`",
    one_way_mount="write `mountPropagation: HostToContainer`",
    secret_file="mount a Secret as a file and write its path into `{name}`",
    secret_variable="keep the value in a Secret and write `{name}` with `valueFrom: {{secretKeyRef: ...}}`",
    digest="kubectl get pod POD -o jsonpath='{.status.containerStatuses[*].imageID}'",
    bounded_restart="make it a Job with a `backoffLimit`",
    identity="give it a service account of its own, with a Role that allows just what it asks for",
)
