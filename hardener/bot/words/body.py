"""The body of a pull request, for a maintainer with two minutes who has never heard of the tool. Knows no forge but its limits.

What it does and why that is safe to say; the picture before and after; what to do before merging; the commits, with who asks for
each; the evidence, folded; how it was checked; what was held back; how to be rid of it. It says nothing that holds only today.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hardener import __version__
from hardener.bot.proposal import Bundle, Per, Step
from hardener.bot.words.checked import checked
from hardener.bot.words.kinds import Subjects, is_dockerfile, kind, subjects
from hardener.bot.words.look import Look
from hardener.bot.words.messages import subject
from hardener.bot.words.rule import about, sources
from hardener.finding import Applicability, Strength
from hardener.render.commonmark import code, prose
from hardener.render.fit import ITEM, Piece, fit
from hardener.render.formats import Run
from hardener.render.grounds import address
from hardener.render.markdown import by_hand, command, files, held_back, picture, problems, remaining, section, step_by_hand
from hardener.render.summary import count, shortened
from hardener.report import Outcome, Status

#: A longer command has no room below a body that had to be cut.
_LONGEST_COMMAND = 120
#: So many fixes have their evidence in sight.
_FEW = 3
#: So many fixes that are held back are in sight.
_MANY = 8
#: Repositories that the first paragraph names.
_NAMED = 3
#: A source that is a file of the repository, from its root.
_FILE = re.compile(r"[^\s:]*[./][^\s:]*")
_BEFORE = "### Before merging\n\n"
_DATA = "For data that is there already, as its user changes:\n\n"
_LASTING = (
    "Kubernetes does not let the pod of these be changed once it is there, and applying this would fail. Delete them first, or "
    "have them replaced: by the annotation `argocd.argoproj.io/sync-options: Force=true,Replace=true` for Argo CD, by "
    "`kustomize.toolkit.fluxcd.io/force: enabled` for Flux. A Job then runs again.\n\n"
)


def body(bundle: Bundle, look: Look, limit: int) -> str:
    """Markdown of at most `limit` characters: evidence goes first where there is no room, and what is missing is said."""
    run = Run(paths=_paths(bundle))
    fitted = fit([*_pieces(bundle, look, run)], limit)
    text = fitted.text.rstrip("\n") + "\n"
    if fitted.left_out:
        diff = command(run, _select(bundle, "--diff"))
        diff = code(diff if len(diff) <= _LONGEST_COMMAND else "harden --diff")
        text += f"\nLeft out, as a {look.pull_word} has no room for it: {fitted.left_out}. {diff} and the commits have it.\n"
    # The only comment of HTML is the mark, which comes after this.
    return text.replace("<!--", "<\u200b!--")


def _pieces(bundle: Bundle, look: Look, run: Run) -> Iterator[Piece]:
    report = bundle.report
    yield Piece(_opening(bundle))
    yield from picture(report, brief=True)
    yield from _before_merging(bundle)
    yield from _commits(bundle, look)
    yield from _evidence(bundle, run)
    yield from checked(bundle.verdict, _verify(bundle))
    yield from _held_back(bundle, run)
    yield from _unbelieved(bundle)
    yield from _not_touched(bundle)
    yield Piece(_farewell(bundle, look))


def _opening(bundle: Bundle) -> str:
    """What it does, and what that rests on."""
    fixes = bundle.report.applied
    found = subjects(fixes)
    number = count(len(bundle.report.changes), "file")
    whose = f"{found.counted} of {code(shortened(bundle.scope))}" if _has_place(bundle) else found.counted
    rules = {one.finding.rule for one in fixes}
    takes = any(kind(rule).takes for rule in rules)
    bounds = any(rule.startswith("unlimited-") for rule in rules)
    if takes:
        does = f"takes away privileges that {whose} {_do(found)} not need{' and bounds what can be used up' if bounds else ''}"
    else:
        does = f"bounds what {whose} can use up" if bounds else f"corrects {whose}"
    first = f"This {does}: {count(len(fixes), 'fix', 'fixes')} in {number}."
    weak = sum(one.finding.fix is not None and one.finding.fix.applicability is not Applicability.SAFE for one in fixes)
    if weak and bundle.verdict is not None:
        rest = (
            f"All of it held in runs on a Docker engine. For {weak} of them not all is known: what is missing is said with each."
        )
    elif weak:
        rest = f"For {weak} of them evidence is incomplete: what is not known is said with each, and they have to be tested."
    else:
        rest = f"{'Each rests' if len(fixes) > 1 else 'It rests'} on what was read or measured: {_shown(fixes)}. "
        rest += "What could not be shown was left out."
    if not fixes:
        return f"This changes {number}: see the commits.\n\n"
    return f"{first} {rest} Comments and formatting stay as they are.\n\n"


def _shown(fixes: Iterable[Outcome]) -> str:
    """What the evidence of fixes is, in a few words."""
    items = dict.fromkeys(item for one in fixes if one.finding.fix for item in one.finding.fix.evidence)
    public = list(dict.fromkeys(item.source.partition(" ")[0] for item in items if address(item.source)))
    here = {path for item in items if _FILE.fullmatch(path := item.source.partition(":")[0])}
    words = []
    if public:
        more = f" and {len(public) - _NAMED} more" if len(public) > _NAMED else ""
        words.append(f"published source code ({', '.join(map(code, public[:_NAMED]))}{more})")
    if here:
        words.append(count(len(here), "file of this repository", "files of this repository"))
    if any(item.strength is Strength.OBSERVED for item in items):
        words.append("runs of the images")
    return ", ".join(words) or "what is listed with it below"


def _do(found: Subjects) -> str:
    return "does" if len((*found.services, *found.containers, *found.images)) == 1 else "do"


def _before_merging(bundle: Bundle) -> Iterator[Piece]:
    """What only a person can do: what a trial did, where there was one, else what follows from reading."""
    verdict = bundle.verdict
    if verdict is None or verdict.stopped:
        found = [*by_hand(bundle.report, _BEFORE + _DATA)]
    else:
        found = [*section(_BEFORE + _DATA, (f"- {step_by_hand(step)}\n" for step in verdict.migrations))]
    yield from found
    yield from section(("" if found else _BEFORE) + _LASTING, _refused_by_the_cluster(bundle))


def _refused_by_the_cluster(bundle: Bundle) -> Iterator[str]:
    """What is in the cluster already and would have to be another object."""
    from hardener.facts.kubernetes.lasting import lasting

    for change in bundle.report.changes:
        if not change.is_new:
            names = [f"{one.kind} {code(shortened(one.name))}" for one in lasting(change.before, change.after)]
            if names:
                yield f"- {', '.join(dict.fromkeys(names))} in {code(shortened(change.before.path))}\n"


def _commits(bundle: Bundle, look: Look) -> Iterator[Piece]:
    """What each commit does, why, and who else asks for it."""
    lines = (f"- **{prose(subject(step, look))}.**{_why(step, look)}\n" for step in bundle.steps)
    yield from section("### Commits\n\n", lines)


def _why(step: Step, look: Look) -> str:
    if not step.rule:
        return " It follows from the others."
    pods = bool(subjects(step.report.applied).containers)
    names = [f"[{source.item}]({source.url})" for source in sources(step.rule, for_pods=pods)[:1]]
    return f" {prose(about(step.rule).partition('. ')[2])} ({', '.join((_page(step.rule, look), *names))})"


def _page(rule: str, look: Look) -> str:
    """The name of a rule, as a link to its page where there is one."""
    pages = look.settings.rule_pages.rstrip("/")
    return f"[{code(rule)}]({pages}/rules/{rule}.html)" if pages else code(rule)


def _evidence(bundle: Bundle, run: Run) -> Iterator[Piece]:
    found = list(files(bundle.report, run, diffs=False))
    if found:
        yield Piece("### Evidence\n\n")
    if len(bundle.report.applied) <= _FEW:
        found = [piece._replace(text=piece.text.replace("<details>", "<details open>", 1)) for piece in found]
    yield from found


def _held_back(bundle: Bundle, run: Run) -> Iterator[Piece]:
    verify = _verify(bundle, "--unsafe-fixes")
    show = code(command(run, _select(bundle, "--diff --unsafe-fixes")))
    proof = f"; {code(verify)} tries them on your engine" if verify else ""
    lead = f"Not in here, because evidence is missing. {show} shows them{proof}."
    found = [*held_back(bundle.report, run, lead)]
    number = sum(one.status is Status.HELD_BACK for one in bundle.report.outcomes)
    if number > _MANY:
        # What opens and closes stays, whatever of the list there is room for.
        first = found[0]._replace(text=found[0].text.removeprefix(f"### Held back\n\n{lead}\n\n"))
        heading = f"### Held back\n\n{lead}\n\n<details><summary>Held back: {count(number, 'fix', 'fixes')}</summary>\n\n"
        found = [Piece(heading), first, *found[1:], Piece("</details>\n\n")]
    yield from found


def _unbelieved(bundle: Bundle) -> Iterator[Piece]:
    lead = "These files say what runs have shown, or what images need. They were not believed, because the bot is not yours:"
    paths = (f"- {code(shortened(path))}\n" for path in bundle.unbelieved)
    yield from section(f"### Evidence that was not used\n\n{lead}\n\n", paths)


def _not_touched(bundle: Bundle) -> Iterator[Piece]:
    """What remains and has no fix, and what was not read: folded, as nothing in here depends on it."""
    found = [*remaining(bundle.report, ""), *problems(bundle.report)]
    if found:
        number = sum(one.status.value in ("reported", "refused", "failed") for one in bundle.report.outcomes)
        told = f"Found, and not changed here: {number}" if number else "Not read, or not judged"
        text = "".join(piece.text for piece in found)
        yield Piece(f"<details><summary>{told}</summary>\n\n{text}</details>\n\n", ((ITEM, f"{told}.\n\n"),))


def _farewell(bundle: Bundle, look: Look) -> str:
    """How to take a part of it back, how to be rid of all of it, and whose work it is."""
    rule = next((step.rule for step in bundle.steps if step.rule), "root-user")
    config, label = code("hardener.toml"), code(shortened(look.settings.stop_label))
    comment, ignored = code(f"# harden: ignore[{rule}] the reason"), code(f'ignore = ["{rule}"]')
    lines = [
        f"To leave a fix out, write {comment} above its service or instruction, or {ignored} in {config}; the next run takes it "
        f"out of this {look.pull_word}. {_explained(rule, look)} what may break.",
        "To take a part back after merging (not squashed), revert its commit; git asks where a later one touches it.",
        f"To decline, close it: it stays closed until there are other fixes. The label {label}, or a commit of yours on this "
        f"branch, stops the bot here; {code('enabled = false')} below {code('[pr]')} in {config} stops it in this repository.",
    ]
    made = f"Made with harden {__version__}"
    if not look.is_own:
        made += ", a program that rewrites Compose files, manifests and Dockerfiles. Whoever opened this ran it, unasked"
    return "### To change or decline this\n\n" + "".join(f"- {line}\n" for line in lines) + f"\n{made}.\n"


def _explained(rule: str, look: Look) -> str:
    if look.settings.rule_pages:
        return f"The page of each rule, such as {_page(rule, look)}, says"
    return f"{code(f'harden explain {rule}')} says"


def _has_place(bundle: Bundle) -> bool:
    return bundle.per in (Per.PROJECT, Per.FILE) and bundle.scope not in ("", ".")


def _paths(bundle: Bundle) -> tuple[str, ...]:
    """The path that commands are given for what the bundle is about."""
    return (bundle.scope,) if _has_place(bundle) else (".",)


def _select(bundle: Bundle, options: str) -> str:
    return f"{options} --select {bundle.scope}" if bundle.per is Per.RULE else options


def _verify(bundle: Bundle, options: str = "") -> str:
    """The command that tries it on an engine; empty where that cannot be done: for manifests."""
    found = subjects(bundle.report.outcomes)
    paths = _paths(bundle)
    if found.containers:
        return ""
    if not found.services:
        if len(found.images) != 1:
            return ""
        paths = found.images
    elif bundle.per is Per.FILE and is_dockerfile(bundle.scope):
        paths = (bundle.scope.rpartition("/")[0] or ".",)
    return command(Run(paths=paths), " ".join(["verify", *([options] if options else [])]))
