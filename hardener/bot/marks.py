"""How the bot knows its own work again: names of branches, lines in commits and bodies. Knows no forge, and keeps no state.

All that a later run has to know follows from what anybody can see: the branch, the trailers of its commits and one invisible
line at the end of a body. Trailers are no secret: they keep the bot from taking somebody's work for its own by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

from hardener.record import NamedTuple

#: The trailers of each commit.
_BRANCH, _STEP, _FILES = "Harden-Branch", "Harden-Step", "Harden-Files"
_TRAILER = re.compile(rf"^({_BRANCH}|{_STEP}|{_FILES}): ([!-~]{{1,255}})$", re.MULTILINE)
_STEPS = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")
_MARK = re.compile(r"<!-- harden: branch=([!-~]{1,255}) fixes=([0-9a-f]{8,16}(?:\.[0-9a-f]{8}){0,511}) body=([0-9a-f]{16}) -->")
#: What a scope may be made of to be a part of a branch's name as it is.
_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
#: What stands for the folder at the root, and for all of a repository.
_ROOT, _ALL = "root", "all"
#: What follows the prefix in the name of the branch that proposes a configuration.
CONFIGURE = "configure"
#: So many fixes are told apart in a mark; what is beyond is one more.
_TOLD_APART = 500
#: The fixes of a pull request that we took back ourselves: nobody declined it.
WITHDRAWN = "0" * 16


def branch_of(prefix: str, scope: str) -> str:
    """The branch of a scope: the same in every run, and another for every other scope.

    `deploy/shop` becomes `harden/deploy--shop`. No branch is a folder of another, which git cannot have. What cannot be part of
    a name is left out, and a digest tells it apart.
    """
    if scope in (".", ""):
        return prefix + (_ROOT if scope else _ALL)
    name = scope.replace("/", "--")
    lossless = "--" not in scope and _PLAIN.fullmatch(name) and name not in (_ROOT, _ALL, CONFIGURE)
    # What `git check-ref-format` refuses of these, and what pages make a link of, in the trailer of each commit.
    if lossless and ".." not in name and "www." not in name and not name.endswith((".", ".lock")):
        return prefix + name
    kept = re.sub(r"[^a-z0-9]+", "-", scope.lower()).strip("-")[:60].strip("-")
    return f"{prefix}{kept or 'scope'}-{digest(scope)[:8]}"


def digest(*parts: str) -> str:
    """Sixteen hexadecimal digits for texts, in this order."""
    from hashlib import sha256

    # `ascii` keeps the parts apart, whatever is in them.
    return sha256(ascii(parts).encode()).hexdigest()[:16]


def fixes_said(fixes: Iterable[str]) -> str:
    """Fixes as a mark has them, each by eight hexadecimal digits, so that a later run knows which of them are new."""
    found = sorted({digest(fix)[:8] for fix in fixes})
    rest = [digest(*found[_TOLD_APART:])[:8]] if len(found) > _TOLD_APART else []
    return ".".join(found[:_TOLD_APART] + rest) or digest()


def has_new(fixes: str, known: str) -> bool:
    """Whether there is one among fixes that is not among those that are known, both as marks have them."""
    return not set(fixes.split(".")) <= set(known.split("."))


def files_digest(files: Iterable[tuple[str, bytes]], executable: Container[str] = ()) -> str:
    """Sixteen hexadecimal digits for files, by path and content, in any order; `executable` has the paths of those that are."""
    from hashlib import sha256

    def content(path: str, data: bytes) -> str:
        return sha256(data).hexdigest() + ("x" if path in executable else "")

    return digest(*(part for path, data in sorted(files) for part in (path, content(path, data))))


class Trailers(NamedTuple):
    """What a commit of the bot says of itself."""

    branch: str
    #: Which it is, of how many: from 1.
    step: int
    steps: int
    #: The `files_digest` of all files that differ between the base and this commit.
    files: str


def with_trailers(message: str, trailers: Trailers, sign_off: str = "") -> str:
    """A message with its last paragraph: our trailers, and `Signed-off-by` where somebody signs off, as `NAME <EMAIL>`."""
    lines = [
        f"{_BRANCH}: {trailers.branch}",
        f"{_STEP}: {trailers.step}/{trailers.steps}",
        f"{_FILES}: {trailers.files}",
        *([f"Signed-off-by: {sign_off}"] if sign_off else []),
    ]
    return message.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n"


def trailers_of(message: str) -> Trailers | None:
    """What a commit says of itself in its last paragraph; None for one that is not the bot's."""
    paragraph = message.replace("\r\n", "\n").rstrip("\n").rpartition("\n\n")[2]
    found = {match[1]: match[2] for match in _TRAILER.finditer(paragraph)}
    steps = _STEPS.fullmatch(found.get(_STEP, ""))
    if _BRANCH not in found or _FILES not in found or steps is None:
        return None
    return Trailers(found[_BRANCH], int(steps[1]), int(steps[2]), found[_FILES])


class Mark(NamedTuple):
    """What the body of a pull request says of itself, where nobody sees it."""

    branch: str
    #: The fixes, as `Bundle.fixes` has them.
    fixes: str
    #: The words that we wrote: what people change in them since then stays as long as we would write the same.
    body: str


def marked(body: str, branch: str, fixes: str, title: str = "") -> str:
    """A body with its mark, which also tells by which title and text it is known."""
    text = body.rstrip("\n")
    return f"{text}\n\n<!-- harden: branch={branch} fixes={fixes} body={digest(title, text)} -->\n"


def withdrawn(body: str, branch: str) -> str:
    """A body whose mark says that we took it back; all else in it stays as it is."""
    found = mark_of(body)
    mark = f"<!-- harden: branch={branch} fixes={WITHDRAWN} body={found.body if found else digest()} -->"
    if found is None:
        text = body.rstrip()
        return f"{text}\n\n{mark}\n"
    last = list(_MARK.finditer(body))[-1]
    return body[: last.start()] + mark + body[last.end() :]


def mark_of(body: str) -> Mark | None:
    """The mark of a body: the last one, which we write; None where somebody took it out."""
    found = _MARK.findall(body)
    return Mark(*found[-1]) if found else None
