"""Which paths belong to other accounts than root, and what root needs to write there. Knows no shell and no file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hardener.facts.accounts import created
from hardener.finding import Evidence, Strength
from hardener.needs.source.options import Options, parse
from hardener.needs.source.places import is_inside, location
from hardener.needs.source.uses import CAPABILITIES, WRITES, Capability, Program, Uses

#: The beginnings of the claims of writes that take no right to write: giving away, changing modes, and what may be there already.
GIVES, MODES, CREATES = "gives away", "changes the mode of", "creates the folder"
_CHOWN_VALUED = frozenset(("--from", "--reference"))
_ROOT = frozenset(("root", "0", ""))


def chown_of(words: Sequence[str]) -> tuple[Options, str, tuple[str, ...]]:
    """The options of a `chown`, the account that it names ("user:group" without the group), and the paths."""
    found = parse(words[1:], _CHOWN_VALUED)
    if found.has("--reference"):
        return found, "?", found.operands
    owner = found.operands[0] if found.operands else ""
    return found, owner.partition(":")[0], found.operands[1:]


def given_by_words(words: Sequence[str], program: Program) -> dict[str, str]:
    """The paths that a command gives to an account, by path; to root with an empty account."""
    name = words[0].rpartition("/")[2] if words else ""
    if name == "find" and "chown" in words:
        at = words.index("chown")
        return {path: account for account in chown_of(words[at:])[1:2] for path in _located(words[1:2], program)}
    if name == "chown":
        _, account, paths = chown_of(words)
    elif name == "install":
        found = parse(words[1:], frozenset("-g -m -o -t --owner --group --mode --target-directory".split()))
        account, paths = next(iter(found.values("-o", "--owner")), ""), found.operands
    else:
        return {}
    return dict.fromkeys(_located(paths, program), "" if account in _ROOT else account)


def given_by_image(program: Program) -> dict[str, str]:
    """The paths that the image's Dockerfile gives to an account, by path; to root again with an empty account."""
    stage = program.files.stage
    found: dict[str, str] = {}
    if stage is None:
        return found
    by_item: dict[int, list[tuple[str, tuple[str, ...]]]] = {}
    for run in stage.commands:
        by_item.setdefault(id(run.item), []).append((run.name, run.known))
    for member, item in stage.items:
        workdir = stage.workdir_before(item) or "/"
        here = program._replace(workdir=workdir)
        if item.keyword == "RUN":
            for name, arguments in by_item.get(id(item), ()):
                found.update(given_by_words((name, *arguments), here))
                user = created(name, arguments)
                if user is not None and not user.is_group and "-M" not in arguments and "-H" not in arguments:
                    found[f"/home/{user.name}"] = user.name
        elif item.keyword in ("COPY", "ADD") and item.flag("chown") and item.values:
            target = stage.resolve(item.values[-1], member, item.index)
            owner = (item.flag("chown") or "").partition(":")[0]
            if target is not None:
                found[posixpath.normpath(posixpath.join(workdir, target))] = "" if owner in _ROOT else owner
    return found


def overriding(found: Uses, by_root: Iterable[Uses], given: Mapping[str, str]) -> Uses:
    """The same uses, with DAC_OVERRIDE where root writes what is another account's."""
    if any(capability.name == "DAC_OVERRIDE" for capability in found.capabilities):
        return found
    given = {path.rstrip("/") or "/": account for path, account in given.items()}
    for evidence, path, account in _foreign(by_root, given):
        why = f"uses {path}, which belongs to {account}"
        return found._replace(capabilities=(*found.capabilities, Capability("DAC_OVERRIDE", why, evidence)))
    return found


def _foreign(by_root: Iterable[Uses], given: Mapping[str, str]) -> Iterator[tuple[Evidence, str, str]]:
    for uses in by_root:
        for write in uses.writes:
            claim = write.evidence.claim
            if claim.startswith((GIVES, MODES)):
                continue
            owners = [path for path in given if is_inside(write.path, path)]
            nearest = max(owners, key=len, default="")
            if nearest and given[nearest] and not (nearest == write.path and claim.startswith((CREATES, "reads"))):
                yield write.evidence, write.path, given[nearest]
        if any(given.values()) and any(WRITES in doubt.about and CAPABILITIES not in doubt.about for doubt in uses.doubts):
            account = next(account for account in given.values() if account)
            yield Evidence("writes where it is not known", uses.read.source, Strength.READ), "a computed path", account


def _located(paths: Iterable[str], program: Program) -> list[str]:
    return [path for path in (location(word, program) for word in paths) if path is not None]
