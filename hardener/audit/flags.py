"""What would have to stand on the command line of `docker run`, for containers that no file asks for. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from hardener.facts.container import Container, Setting
from hardener.finding import Applicability, Finding, Want
from hardener.needs.needs import Needs
from hardener.record import NamedTuple

#: Fixes that change what is needed: one for the user, one for privilege, and a last look.
_MOST_ROUNDS = 4


class Flags(NamedTuple):
    """Options that the image is known to bear, and for the other hazards why there are none."""

    options: tuple[str, ...]
    #: The hazard, and what is not known, or what a person has to do.
    open: tuple[tuple[str, str], ...]


def flags_of(container: Container, needs_of: Callable[[Container], Needs]) -> Flags:
    """The options by the rules' own fixes, as far as they are safe by evidence about the image.

    `needs_of` tells what a container needs. A fix that changes that, such as another user, comes first, as in files; of the
    container that was given nothing is changed.
    """
    from copy import copy

    container = copy(container)
    options: list[str] = []
    for _ in range(_MOST_ROUNDS):
        findings = list(_findings(container, needs_of(container)))
        first = next((one for one in findings if one.fix is not None and one.fix.unsettles and _options(one, container)), None)
        if first is None:
            break
        options += _options(first, container) or ()
        assert first.fix is not None
        _make(first.fix.wants, container)
    unanswered = []
    for finding in findings:
        said = _options(finding, container)
        if said is None:
            unanswered.append((finding.rule, _why_not(finding)))
        else:
            options += said
    return Flags(tuple(dict.fromkeys(option for option in options if option)), tuple(dict.fromkeys(unanswered)))


def _findings(container: Container, needs: Needs) -> Iterator[Finding]:
    from hardener.rules import load

    for rule in load("container"):
        assert rule.container is not None
        yield from rule.container(container, needs)


def _make(wants: Iterable[Want], container: Container) -> None:
    """Give a container the settings of a fix, which stand nowhere."""
    for want in wants:
        for name in Container.__slots__:
            if getattr(container, name, None) is want.setting:
                setattr(container, name, Setting(want.value, written=True, place=container.place))


def _why_not(finding: Finding) -> str:
    if finding.fix is not None:
        return f"not known: {finding.fix.missing}" if finding.fix.missing else "evidence is missing"
    return finding.advice or finding.refusal


def _options(finding: Finding, container: Container) -> list[str] | None:
    """The options of a fix; None where it is not safe, or there is no option for it."""
    fix = finding.fix
    if fix is None or fix.applicability is not Applicability.SAFE or fix.changes:
        return None
    found: list[str] = []
    for want in fix.wants:
        said = list(_option(want, container))
        if not said:
            return None
        found += said
    return found


def _option(want: Want, container: Container) -> Iterator[str]:
    setting, value = want.setting, want.value
    if setting is container.cap_drop:
        yield from (f"--cap-drop {item.text}" for item in value if item not in container.cap_drop.effective)
    elif setting is container.cap_add:
        yield ""  # there may be none to add
        yield from (f"--cap-add {item.text}" for item in value if item not in container.cap_add.effective)
    elif setting is container.no_new_privileges:
        yield "--security-opt no-new-privileges"
    elif setting is container.read_only_root:
        yield "--read-only"
    elif setting is container.tmpfs:
        yield ""
        new = (tmpfs for tmpfs in value if tmpfs not in container.tmpfs.effective)
        yield from (f"--tmpfs {tmpfs.path}{f':{tmpfs.options}' if tmpfs.options else ''}" for tmpfs in new)
    elif setting is container.user:
        yield f"--user {value}"
    elif setting is container.memory:
        yield f"--memory {value.text.lower()}"
    elif setting is container.cpus:
        yield f"--cpus {value.text}"
    elif setting is container.pids:
        yield f"--pids-limit {value.text}"
    elif setting is container.devices:
        yield ""
        yield from (f"--device {device.source}" for device in value if device not in container.devices.effective)
    elif setting in (container.privileged, container.seccomp_unconfined, container.apparmor_unconfined):
        yield ""  # by what is left out
