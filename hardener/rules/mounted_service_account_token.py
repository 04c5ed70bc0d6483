"""The container is given a token for the API of the cluster that runs it, and nobody said that it needs one.

Attack: Whoever breaks into one container of the pod reads the token from its file and asks the cluster's API with it. They
may then do what its service account may do, from listing Secrets to starting pods, and even without a Role they can ask
what there is to attack.

Background: The token is a file in every container of the pod. Programs that only serve never read it.

What may break: What asks the API stops without the token: operators, ingress controllers, the election of a leader, and
programs that find each other through the API.

What we do: The repair writes that no token is mounted (`automountServiceAccountToken: false`). It is safe where every
container of the pod is known not to ask the API, by its image or by its source, and held back elsewhere. Nothing is edited
where one is known to ask: these get an account of their own, with a Role that allows what they ask for and no more.

Example: kubernetes-who-needs-one
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Fix, Rule, Severity, Want
from hardener.needs.needs import Needs

ID = "mounted-service-account-token"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with credentials for the API of what runs it."""
    setting = container.api_token
    if not setting.effective:
        return
    api, verdict = f"the {container.platform.name} API", needs.api
    message = f"is given a token for {api}"
    # Always of the container, wherever it is written: it has to be right for each that the text serves.
    if verdict is not None and not verdict.works:
        message += f", which it uses: {verdict.why}"
        yield Finding(ID, container.subject, setting.place, message, advice=container.platform.identity, key=container.key)
        return
    if verdict is None and setting.written:
        # Nothing says that it does without what somebody gave it on purpose.
        yield Finding(ID, container.subject, setting.place, message, advice=container.platform.identity, key=container.key)
        return
    if verdict is None:
        missing = needs.missing("api") or f"whether it uses {api}"
    else:
        missing = needs.missing("api") or verdict.doubt or ("why somebody asked for the token" if setting.written else "")
    evidence = (verdict.evidence,) if verdict is not None else ()
    fix = Fix("mount no token", (Want(setting, False),), evidence=evidence, missing=missing)
    yield Finding(ID, container.subject, setting.place, message, fix, key=container.key)


RULE = Rule(
    id=ID,
    title="A token for the cluster's API in a container that may not need it",
    severity=Severity.MEDIUM,
    cites=("CIS Kubernetes 5.1.6", "NSA/CISA Kubernetes 1.11"),
    container=check,
    why="whoever breaks in asks the API as its service account",
)
