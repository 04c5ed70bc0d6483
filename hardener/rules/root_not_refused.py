"""The container does not run as root, but would be started all the same if its image made it root.

Attack: Whoever can change what the image is, by its tag, its base or a Dockerfile that loses its USER, has the container
start as root, and nobody notices. The next break-in then begins as root instead of as an ordinary user.

Background: Who runs in it is decided by the image, and that may change with the next pull: a new base, a Dockerfile that
lost its USER, a tag that somebody else moved. Where the platform can be told to refuse root (`runAsNonRoot: true` in a
pod), such an image does not start, and the change is seen before an attacker sees it.

What may break: An image whose user is a name, such as `USER app`, does not start any more unless the number is written
beside it, for the platform cannot know that `app` is not root; nor does one that is root. New pods do not start then, and a
rolling update stops there.

What we do: The repair asks for the refusal. It is safe where the file itself starts the container as a number other than 0.
Where the image decides, the numbers of the account are written too (`runAsUser`, `runAsGroup`), where they are known; it is
the same account that ran before. Where nothing is known of the image, the fix is held back.

Left alone: Containers that run as root, which are `root-user`, and platforms that cannot refuse it.

Example: kubernetes-known-numbers
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Evidence, Finding, Fix, Rule, Severity, Strength, Want
from hardener.needs.needs import Needs

ID = "root-not-refused"


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container that would be started as root too."""
    setting = container.refuses_root
    if setting is None or setting.effective:
        return
    user = container.user.effective.partition(":")[0]
    if not needs.holds and not user and container.cap_add.effective:
        return  # who is not root would not get what is added here
    if user.isdecimal():
        if not user.strip("0"):
            return
        fix = _by_its_number(container, user)
    elif user:
        if user == "root":
            return
        fix = Fix("refuse root", (Want(setting, True),), missing=f"whether {user} is written as a number: a name does not start")
    elif needs.holds and needs.root:
        return
    else:
        fix = _by_its_image(container, needs)
    if container.said_elsewhere:
        fix = fix._replace(missing=fix.missing or container.said_elsewhere)
    if setting.written:
        fix = fix._replace(missing=fix.missing or "why somebody wrote that root is not refused")
    known = user or (needs.holds and needs.root is False)
    message = "is not root, but would start" if known else "would start"
    message += " all the same if its image made it root"
    yield Finding(ID, container.subject, setting.place, message, fix, key=container.key)


def _by_its_number(container: Container, user: str) -> Fix:
    """The fix where the file says who runs in it."""
    assert container.refuses_root is not None
    place = container.user.place
    evidence = Evidence(f"it is started as {user}, whatever its image says", f"{place.path}:{place.line}", Strength.READ)
    return Fix("refuse root", (Want(container.refuses_root, True),), evidence=(evidence,))


def _by_its_image(container: Container, needs: Needs) -> Fix:
    """The fix where its image says who runs in it."""
    assert container.refuses_root is not None
    refuse = Want(container.refuses_root, True)
    evidence = (needs.runs_as,) if needs.runs_as is not None else ()
    account = needs.account
    if not needs.holds or needs.root is None:
        why = f" ({needs.why_not})" if needs.why_not else ""
        missing = (
            f"whether the image's own user is a number that is not root{why}; else no new container starts, and old ones stay"
        )
        return Fix("refuse root", (refuse,), evidence=evidence, missing=missing, unsettles=True)
    if account is None:
        missing = "whether the image's own user is a number: a name does not start"
        return Fix("refuse root", (refuse,), evidence=evidence, missing=missing)
    numbers = f"{account.uid}:{account.gid}"
    words = f"refuse root, and start as {account.name} by its numbers ({numbers})"
    first = (
        "before it is rolled out: build and publish the image anew, from the Dockerfile as it is now" if container.build else ""
    )
    return Fix(words, (Want(container.user, numbers), refuse), evidence=evidence, migration=first)


RULE = Rule(
    id=ID,
    title="Nothing stops an image that becomes root",
    severity=Severity.MEDIUM,
    cites=("Pod Security Standards: restricted, Running as Non-root",),
    container=check,
    why="the next image may be root, and nobody would notice",
)
