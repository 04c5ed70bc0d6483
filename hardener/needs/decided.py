"""What people decided for a container, in the place of what is known or only usual. Knows the policy, no file and no rule."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from hardener.facts.image import parse_image
from hardener.finding import Evidence, Strength
from hardener.needs.needs import Decided, Limit

if TYPE_CHECKING:
    from hardener.facts.container import Container
    from hardener.needs.recorded import Recorded
    from hardener.policy import Amounts, Policy

#: Files whose names are written into comments; another one, which --config names, is only called a configuration.
_KNOWN_FILES = ("hardener.toml", "pyproject.toml")


def decided_for(container: Container, policy: Policy, record: Recorded | None = None) -> Decided:
    """What a policy says about one container. An amount that a trial which is going on found to be needed comes before it."""
    tried = record.proven if record is not None and not record.seen else None
    about = [amounts for amounts in policy.limits if _is_about(amounts, container)]
    memory = next((a for a in about if a.memory is not None), None) if tried is None or tried.memory is None else None
    cpus = next((a for a in about if a.cpus is not None), None) if tried is None or tried.cpus is None else None
    pids = next((a for a in about if a.pids is not None), None) if tried is None or tried.pids is None else None
    return Decided(
        memory=_limit(memory, memory.memory, _memory) if memory and memory.memory else None,
        cpu=_limit(cpus, cpus.cpus, _cores) if cpus and cpus.cpus else None,
        pids=_limit(pids, pids.pids, _processes) if pids and pids.pids else None,
        named_users=policy.named_users,
        socket_proxy=policy.socket_proxy,
    )


def image_names(text: str) -> frozenset[str]:
    """All that an image may be called: as it is written, and as it is known, with and without its tag."""
    image = parse_image(text)
    if image is None:
        return frozenset((text,)) if text else frozenset()
    return frozenset((text, image.familiar, f"{image.familiar}:{image.effective_tag}".rstrip(":"), str(image)))


def _is_about(amounts: Amounts, container: Container) -> bool:
    if not amounts.images and not amounts.services:
        return True
    images = image_names(container.image_text)
    # A container of a pod is called by the workload's name and its own.
    services = {container.subject, container.subject.rpartition("/")[2]}
    return any(fnmatchcase(name, pattern) for pattern in amounts.images for name in images) or any(
        fnmatchcase(name, pattern) for pattern in amounts.services for name in services
    )


def _limit(amounts: Amounts, amount: float, words: Callable[[float], str]) -> Limit:
    path = amounts.source.rpartition(":")[0]
    file = next((name for name in _KNOWN_FILES if path == name or path.endswith(f"/{name}")), "the configuration")
    why = f"{amounts.name}: {file}" if amounts.name else file
    return Limit(float(amount), why, Evidence(f"this repository gives it {words(amount)}", amounts.source, Strength.READ))


def _memory(mebibytes: float) -> str:
    return f"{mebibytes / 1024:g}G" if mebibytes % 1024 == 0 else f"{mebibytes:g}M"


def _cores(cores: float) -> str:
    return f"{cores:g} {'core' if cores == 1 else 'cores'}"


def _processes(number: float) -> str:
    return f"{number:g} processes"
