"""ADD is used where COPY does the same.

Attack: Whoever can put a file into the build context, or change what a variable of the line says, makes ADD unpack an
archive over the files of the image, or fetch from an address of their choice. Their files are then in the image, and
whoever reads the line cannot tell which of its three jobs ADD has done.

Background: ADD does more than it says: it unpacks archives and fetches addresses. COPY only copies.

What may break: ADD tells an archive by its content. One whose name does not say so was unpacked, and is now copied as it
is.

What we do: The repair writes COPY. It is made where the name says that nothing is unpacked or fetched: a folder, or a name
whose ending is not that of an archive. BuildKit treats the two the same then; every option of ADD for such files is one of
COPY too. Where a file of the build context has no ending, it is looked at; without it the repair waits for --unsafe-fixes.
It is refused for names that may be either: those that begin with a variable, and patterns that may match an archive.

Left alone: What only ADD can do: addresses, Git repositories, archives that it unpacks (tar, also compressed), and its own
options --checksum, --keep-git-dir and --unpack.

Example: files-and-folders
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage
from hardener.finding import Change, Evidence, Finding, Fix, Rule, Severity, Strength
from hardener.needs.stage import StageNeeds
from hardener.rules._scripts import lines_of
from hardener.syntax.dockerfile import Instruction, Replace

ID = "add-instead-of-copy"

_ONLY_ADD = ("checksum", "keep-git-dir", "unpack")
#: Endings of what ADD unpacks, or may: it looks into the file, and a compressed file may hold an archive.
_ARCHIVES = frozenset(
    "tar tgz tbz tbz2 tb2 tz2 txz tlz tzst taz taz2 gz bz2 xz lzma lz zst zstd z gem crate ova cbt box apk layer oci".split()
)
#: Endings that say nothing about what is inside.
_ANYTHING = frozenset("bin dat data dump bak backup pkg bundle rootfs fs image img download file".split())


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage with ADD for what COPY can copy."""
    by_text: dict[str, list[Instruction]] = {}
    for item in stage.own("ADD", "ONBUILD"):
        add = item if item.keyword == "ADD" else item.inner
        if add is not None and add.keyword == "ADD" and not any(add.flag(name) is not None for name in _ONLY_ADD):
            by_text.setdefault(
                " ".join((item.keyword, *(f"{flag.name}={flag.value}" for flag in add.flags), add.arguments)), []
            ).append(item)
    for text, items in by_text.items():
        finding = _finding(stage, items, f"{stage.key} {text}")
        if finding is not None:
            yield finding


def _finding(stage: DockerStage, items: list[Instruction], key: str) -> Finding | None:
    item = items[0]
    add = item.inner or item
    sources = add.values[: 1 if add.heredocs and len(add.values) == 1 else -1]
    evidence: list[Evidence] = []
    missing = refusal = ""
    for source in sources:
        kind, why = kind_of(source)
        if kind == "only-add" or (kind == "either" and _named_for_add(stage, add, source)):
            return None
        if kind == "unknown":
            found = stage.in_context(source)
            if found:
                kind, why = "copied", f"`{source}` in the build context is a {found}{'' if found == 'folder' else ' file'}"
        if kind == "copied":
            evidence.append(Evidence(why, stage.at(item), Strength.READ))
        elif kind == "either":
            refusal = refusal or why
        else:
            missing = missing or why
    where = f" ({lines_of([other.line for other in items])})" if len(items) > 1 else ""
    message = f"uses ADD for what COPY would copy{where}"
    place = stage.place(item)
    if refusal:
        advice = "write COPY if it never names an archive or an address"
        return Finding(ID, stage.subject, place, message, refusal=refusal, advice=advice, key=key)
    changes = []
    for other in items:
        written = _as_copy(stage, other)
        if not written:
            return Finding(
                ID, stage.subject, place, message, refusal="it is written over several lines", advice="write COPY", key=key
            )
        changes.append(Change(stage.source.path, Replace(other.index, written)))
    fix = Fix("copy with COPY", changes=tuple(changes), evidence=tuple(evidence), missing=missing)
    return Finding(ID, stage.subject, place, message, fix, key=key)


def _named_for_add(stage: DockerStage, add: Instruction, source: str) -> bool:
    """Whether a variable holds an address or an archive, by its name or its value."""
    if re.search(r"\$\{?[A-Za-z0-9_]*(?:url|uri)", source, re.IGNORECASE):
        return True
    value = stage.resolve(source, stage.stage, None if add.index < 0 else add.index) if "$" in source else None
    return value is not None and kind_of(value)[0] == "only-add"


def kind_of(source: str) -> tuple[str, str]:
    """What ADD would do with a source, by its name, and why: "only-add", "either", "unknown" or "copied"."""
    source = source.strip("'\"")
    lower = source.lower()
    if source.startswith("<<"):
        return "copied", "a here-document is no archive"
    if "://" in lower or lower.startswith(("git@", "github.com/")) or lower.partition("#")[0].endswith(".git"):
        return "only-add", ""
    if source.startswith("$"):
        return "either", f"`{source}` may be an address or an archive"
    name = lower.rstrip("/").rpartition("/")[2]
    if source.endswith("/") or name in ("", ".", ".."):
        return "copied", f"`{source}` is a folder, which ADD does not unpack"
    if name.endswith((".tar", *(f".{ending}" for ending in _ARCHIVES))) or ".tar." in name:
        return "only-add", ""
    _, dot, ending = name.rpartition(".")
    if dot and ending not in _ANYTHING and re.fullmatch("[a-z0-9_-]*[a-z][a-z0-9_-]*", ending):
        return "copied", f"`{source}` does not end as names of archives do"
    if "*" in name or "?" in name or "[" in name:
        return "either", f"`{source}` may match an archive"
    if "$" in name:
        return "either", f"`{source}` may be an archive"
    return "unknown", f"whether `{source}` is an archive cannot be told from its name"


def _as_copy(stage: DockerStage, item: Instruction) -> str:
    text = stage.dockerfile.text[item.start : item.end].replace("\r\n", "\n")
    match = re.match(r"(ONBUILD[ \t]+)?(ADD)(?=\s)", text, re.IGNORECASE)
    if match is None:
        return ""
    word = "copy" if match[2].islower() else "Copy" if match[2][1:].islower() else "COPY"
    return f"{match[1] or ''}{word}{text[match.end() :]}"


RULE = Rule(
    id=ID,
    title="ADD where COPY does the same",
    severity=Severity.LOW,
    cites=("CIS Docker 4.9", "Docker docs: build/building/best-practices"),
    stage=check,
    why="ADD also unpacks and downloads, so that a changed file or variable changes what the line does",
)
