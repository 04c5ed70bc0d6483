"""What runs containers, where that makes a difference to what they need and to what people write. Knows no file and no rule."""

from __future__ import annotations

from hardener.record import NamedTuple


class Platform(NamedTuple):
    """The ways of what runs the containers. Words in it stand where a person is told what to write; `{}` are filled in."""

    name: str
    #: Whether what an image declares as a VOLUME can be written beside a read-only root.
    declared_volumes: bool
    #: Whether a tmpfs may have an owner and a sticky bit. If not, it is root's, everybody may write it, and it is on disk.
    owned_tmpfs: bool
    #: Whether the image's own health check is asked.
    image_healthchecks: bool
    #: How another container reaches `{name}` at its port `{port}` when nothing is published.
    reached: str
    #: What makes `{ports}` reachable from outside.
    publish: str
    #: How a health check is written that runs `{test}`; `{yaml}` is the same between single quotes of YAML.
    healthcheck: str
    #: Where more shared memory comes from.
    shared_memory: str
    #: How containers share a namespace with one another, not with the host; `{}` is its name.
    share_with_one: str
    #: How a secret is given as a file, that the variable `{name}` points to.
    secret_file: str
    #: How a secret is given as a variable `{name}`.
    secret_variable: str
    #: How something is started again, but not without end.
    bounded_restart: str


#: Docker with Compose. Declared volumes are anonymous ones (moby, container/container.go: `parseVolumes`).
DOCKER = Platform(
    name="Docker",
    declared_volumes=True,
    owned_tmpfs=True,
    image_healthchecks=True,
    reached="services of this project reach it as {name}:{port} without",
    publish="publish {ports} under `ports`",
    healthcheck="write `healthcheck:` with `test: {yaml}`",
    shared_memory="set `shm_size`, such as 1gb for browsers or 8gb for model servers",
    share_with_one="`{0}: service:NAME`",
    secret_file="write `{name}: /run/secrets/...` and give the value as a Compose secret",
    secret_variable="keep the value in an .env file outside version control",
    bounded_restart="write `restart: on-failure:5`",
)

#: Kubernetes. An emptyDir is root's with mode 0777 (kubernetes, pkg/volume/emptydir/empty_dir.go: `perm`); CRI-O makes
#: declared volumes part of the root file system (its `image_volumes = "mkdir"`), containerd does not; health checks of
#: images are not asked, only probes.
KUBERNETES = Platform(
    name="Kubernetes",
    declared_volumes=False,
    owned_tmpfs=False,
    image_healthchecks=False,
    reached="pods reach it through a Service without",
    publish="make {ports} reachable through a Service",
    healthcheck="write `livenessProbe:` with `exec: {{command: [sh, -c, {yaml}]}}`",
    shared_memory="mount an `emptyDir` with `medium: Memory` at /dev/shm",
    share_with_one="`shareProcessNamespace: true` within the pod",
    secret_file="mount a Secret as a file and write its path into `{name}`",
    secret_variable="keep the value in a Secret and write `valueFrom: {{secretKeyRef: ...}}`",
    bounded_restart="make it a Job with a `backoffLimit`",
)
