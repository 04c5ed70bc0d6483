"""A process in the container may gain privileges that it was not started with.

A set-uid program, or one with file capabilities, gives its caller more than the caller had. An attacker who runs as an
ordinary user inside the container becomes root through any such program that the image happens to ship.

The repair forbids it (`no-new-privileges:true` in `security_opt`, `allowPrivilegeEscalation: false` in a pod): the kernel then
ignores set-uid bits and file capabilities at exec. Stepping down (gosu, su-exec, setpriv) still works; stepping up (sudo, su,
ping with a file capability) does not.
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
