"""What the fixes of each rule are called in titles and commits, and whose they are. Knows no forge, and no sentence of a body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hardener.bot.words.plain import ROOM, name, prefixed
from hardener.record import NamedTuple
from hardener.render.summary import count
from hardener.report import Outcome


class Kind(NamedTuple):
    """How the fixes of a rule are told."""

    #: The first line of their commit; `{}` is whose they are.
    subject: str
    #: A word or two for a title that has several.
    topic: str
    #: Whether they take a privilege away.
    takes: bool = True


#: What weighs most comes first, and so stands first in titles.
KINDS = {
    "privileged-container": Kind("Run {} unprivileged", "unprivileged"),
    "root-user": Kind("Run {} as non-root", "non-root"),
    "root-not-refused": Kind("Refuse to start {} as root", "non-root"),
    "added-capability": Kind("Take back added capabilities of {}", "capabilities"),
    "excess-capabilities": Kind("Drop unused capabilities of {}", "capabilities"),
    "unconfined-seccomp": Kind("Run {} with the default seccomp profile", "seccomp"),
    "unconfined-apparmor": Kind("Run {} with the default AppArmor profile", "AppArmor"),
    "unmasked-proc": Kind("Mask the host's part of /proc in {}", "masked /proc"),
    "writable-root-filesystem": Kind("Make the root file system of {} read-only", "read-only root"),
    "privilege-escalation": Kind("Forbid new privileges in {}", "no new privileges"),
    "mounted-service-account-token": Kind("Mount no service account token in {}", "no API token"),
    "unlimited-memory": Kind("Limit the memory of {}", "limits", takes=False),
    "unlimited-cpu": Kind("Limit the CPU time of {}", "limits", takes=False),
    "unlimited-pids": Kind("Limit the number of processes in {}", "limits", takes=False),
    "jvm-heap-ignores-limit": Kind("Size the heap in {} by the memory limit", "heap size", takes=False),
    "node-heap-ignores-limit": Kind("Size the heap in {} by the memory limit", "heap size", takes=False),
    "add-instead-of-copy": Kind("Use COPY instead of ADD in {}", "COPY for ADD", takes=False),
    "stale-silence": Kind("Remove comments that silence nothing in {}", "stale comments", takes=False),
}
#: What follows from several fixes together.
_TOGETHER = Kind("Fit the fixes of {} together", "their fit")


def kind(rule: str) -> Kind:
    """How the fixes of a rule are told. The empty rule stands for what follows from several together."""
    return KINDS.get(rule) or (Kind(f"Fix {rule} in {{}}", rule) if rule else _TOGETHER)


def topics(rules: Iterable[str]) -> list[str]:
    """The topics of rules, the weightiest first, each once."""
    order = list(KINDS)
    known = sorted((rule for rule in rules if rule), key=lambda rule: (order.index(rule) if rule in KINDS else len(order), rule))
    return list(dict.fromkeys(kind(rule).topic for rule in known))


def is_dockerfile(path: str) -> bool:
    """Whether a path that the report has findings in is that of a Dockerfile."""
    last = path.rpartition("/")[2].lower()
    return "dockerfile" in last or "containerfile" in last


class Subjects(NamedTuple):
    """Those that fixes are for, each once: services of Compose, other containers, and images by their Dockerfiles."""

    services: tuple[str, ...]
    containers: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def counted(self) -> str:
        """How many there are of each."""
        words = ((self.services, "service"), (self.containers, "container"), (self.images, "image"))
        return _listed([count(len(names), word) for names, word in words if names]) or "its files"


def subjects(outcomes: Iterable[Outcome]) -> Subjects:
    """Whose findings these are, in their order."""
    found: tuple[dict[tuple[str, str], str], ...] = ({}, {}, {})
    for one in outcomes:
        path, subject = one.finding.place.path, one.finding.subject
        if is_dockerfile(path):
            found[2][path, ""] = path
        else:
            found["compose" not in path.rpartition("/")[2].lower()][path, one.finding.key or subject] = subject
    return Subjects(*(tuple(names.values()) for names in found))


def subject_line(rule: str, outcomes: Iterable[Outcome], prefix: str, end: str = "") -> str:
    """The first line for the fixes of a rule, with as many names as there is room for, and none that is more than a name."""
    words = kind(rule).subject
    line = ""
    for who in _whose(subjects(outcomes)):
        for tail in dict.fromkeys((end, "")):
            line = prefixed(prefix, words.format(who) + tail)
            if len(line) <= ROOM:
                return line
    return line


def _whose(found: Subjects) -> Iterator[str]:
    """Those that fixes are for, in ever fewer words."""
    names = list(dict.fromkeys(map(name, (*found.services, *found.containers))))
    images = list(dict.fromkeys(map(name, found.images)))
    if all((*names, *images)):
        if len(images) == 1:
            yield _listed([*names, f"the image of {images[0]}"])
        names += images
        yield _listed(names)
        yield from (f"{', '.join(names[:number])} and {len(names) - number} more" for number in range(len(names) - 1, 1, -1))
    yield found.counted


def _listed(words: list[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1] if words else "") if part)
