"""A process in the container may gain privileges that it was not started with.

Attack: Whoever breaks into a process of an ordinary user starts a set-uid program that the image happens to ship, and uses
a hole in it or simply what it is for. They are then root in the container, with every capability that the container has.

Background: A set-uid program, or one with file capabilities, gives its caller more than the caller had.

What may break: Stepping up does not work any more: sudo and su, ping with a file capability, a server whose file capability
lets it bind its port. Stepping down (gosu, su-exec, setpriv) still does. On a Docker that was installed as a snap no
container with this setting starts at all (`operation not permitted`): the engine is at fault there.

What we do: The repair forbids it (`no-new-privileges:true` in `security_opt`, `allowPrivilegeEscalation: false` in a pod):
the kernel then ignores set-uid bits and file capabilities at exec. It is held back where it is not known whether the
program steps up.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs

ID = "privilege-escalation"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container without no-new-privileges."""
    setting = container.no_new_privileges
    if setting.effective or container.privileged.effective:
        return
    verdict = needs.no_new_privileges
    fix, advice = None, ""
    if verdict is not None and verdict.works:
        switched_off = "somebody switched it off by name" if setting.written else ""
        fix = Fix(
            "forbid new privileges",
            (Want(setting, True),),
            evidence=(verdict.evidence,),
            missing=needs.missing("no_new_privileges") or verdict.doubt or switched_off,
        )
    else:
        advice = f"it cannot be forbidden: {verdict.why}" if verdict else "whether it needs to is not known"
    message = "a process may gain privileges through set-uid programs"
    yield Finding(ID, container.subject, setting.place, message, fix, advice=advice, key=container.key)


RULE = Rule(
    id=ID,
    title="A process may gain privileges that it was not started with",
    severity=Severity.MEDIUM,
    cites=(
        "CIS Docker 5.26",
        "CIS Kubernetes 5.2.6",
        "Pod Security Standards: restricted, Privilege Escalation",
        "NSA/CISA Kubernetes 1.7",
        "OWASP Docker 4",
    ),
    container=check,
    why="any set-uid program in the image makes an attacker root",
)
