"""The evidence for a setting that stands somewhere: what a container needs, asked from the other side. Knows no rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hardener.facts.container import ALL, capability
from hardener.finding import Evidence
from hardener.needs.needs import Limit, Needs
from hardener.needs.profile import Verdict

#: The evidence, and what it says of the setting.
Answer = tuple[str, tuple[Evidence, ...]]


def why(needs: Needs, keys: Sequence[str], text: str) -> Answer:
    """What is known for a setting of a container, named by its keys and its value, such as `cap_add` and `CHOWN`."""
    answer = _ANSWERS.get(keys[-1]) or _ANSWERS.get(keys[0])
    if answer is None:
        return "harden does not judge this setting", ()
    question = _LIMITS.get(keys[-1])
    decided: Limit | None = getattr(needs.decided, question) if question else None
    if decided is not None:
        return f"{decided.amount:g} was decided: {decided.why}", (decided.evidence,)
    if not needs.holds:
        return f"not known: {needs.why_not}", ()
    return answer(needs, text)


def _capability(needs: Needs, text: str) -> Answer:
    if not text:
        return _all_capabilities(needs)
    name = capability(text)
    unknown = needs.unknown.get("capabilities", "")
    found = next((item for item in needs.capabilities or () if item.name == name), None)
    if found is not None and not unknown:
        return f"{name} is needed: {found.why}", (found.evidence,)
    if unknown:
        return f"not known: {unknown}", ()
    return f"nothing that is known needs {name}", _none(needs)


def _all_capabilities(needs: Needs) -> Answer:
    if needs.capabilities is None or "capabilities" in needs.unknown:
        return f"not known: {needs.unknown.get('capabilities', '')}", ()
    names = ", ".join(item.name for item in needs.capabilities)
    return f"{names or 'none'} is what it needs", (*(item.evidence for item in needs.capabilities), *_none(needs))


def _dropped(needs: Needs, text: str) -> Answer:
    unknown = needs.unknown.get("capabilities", "")
    if unknown or needs.capabilities is None:
        return f"not known: {unknown}", ()
    names = ", ".join(item.name for item in needs.capabilities)
    found = next((item for item in needs.capabilities if item.name == capability(text)), None)
    if found is not None:
        return f"{found.name} is needed: {found.why}", (found.evidence,)
    what = "all" if capability(text or ALL) == ALL else text
    return f"{what} can go{f', but for {names}' if names and what == 'all' else ''}", _none(needs)


def _none(needs: Needs) -> tuple[Evidence, ...]:
    return (needs.no_more_capabilities,) if needs.no_more_capabilities is not None else ()


def _verdict(question: str, what: str) -> Callable[[Needs, str], Answer]:
    def answer(needs: Needs, text: str) -> Answer:
        verdict: Verdict | None = getattr(needs, question)
        unknown = needs.unknown.get(question, "")
        if verdict is None or unknown:
            return f"not known: {unknown}", ()
        return (f"{what} works" if verdict.works else f"{what} does not work: {verdict.why}"), (verdict.evidence,)

    return answer


def _tmpfs(needs: Needs, text: str) -> Answer:
    path = text.partition(":")[0].rstrip("/")
    found = [written for written in needs.writes if (written.path.rstrip("/") + "/").startswith(path + "/")]
    if not found:
        return f"nothing that is known writes {path}", ()
    return f"{path} is written", tuple(dict.fromkeys(written.evidence for written in found))


def _user(needs: Needs, text: str) -> Answer:
    if needs.worked_as is not None:
        return f"it works as {needs.worked_as.uid}:{needs.worked_as.gid}", (needs.worked_as.evidence,)
    account = needs.start.account if needs.start is not None else needs.account
    who = f"{account.name} ({account.uid}:{account.gid})".strip() if account is not None else "its own account"
    evidence = (needs.runs_as, needs.user.evidence if needs.user is not None else None)
    return f"the image works as {who}", tuple(item for item in evidence if item is not None)


def _limit(question: str) -> Callable[[Needs, str], Answer]:
    def answer(needs: Needs, text: str) -> Answer:
        limit: Limit | None = getattr(needs, question)
        unknown = needs.unknown.get(question, "")
        if limit is None or unknown:
            return f"not known: {unknown}", ()
        return f"{limit.amount:g} is enough{f': {limit.why}' if limit.why else ''}", (limit.evidence,)

    return answer


#: The limits, and which question each answers.
_LIMITS = {"memory": "memory", "mem_limit": "memory", "cpus": "cpu", "cpu": "cpu", "pids": "pids", "pids_limit": "pids"}

_ANSWERS: dict[str, Callable[[Needs, str], Answer]] = {
    "cap_add": _capability,
    "cap_drop": _dropped,
    "security_opt": _verdict("no_new_privileges", "no-new-privileges"),
    "read_only": _verdict("read_only", "a read-only root"),
    "tmpfs": _tmpfs,
    "user": _user,
    **{key: _limit(question) for key, question in _LIMITS.items()},
    "add": _capability,
    "drop": _dropped,
    "allowPrivilegeEscalation": _verdict("no_new_privileges", "no-new-privileges"),
    "readOnlyRootFilesystem": _verdict("read_only", "a read-only root"),
    "mountPath": _tmpfs,
    "runAsUser": _user,
    "runAsGroup": _user,
    "runAsNonRoot": _user,
}
