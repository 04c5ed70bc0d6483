"""What a line of a log shows: the path that it is about, the folder a tmpfs may take, and the few words for a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from hardener.trial.wordings import message, within

#: How long the reason beside a setting may be.
LONGEST_WHY = 60
_PATH = re.compile(r"(?:(?<![\w./@~-])/(?!/)|(?<=://)/)(?:[\w.+@%~-]|/(?!/)|(?<=\w)[=,](?=\w)){1,400}")
#: After the error's words: `: '/x'` (Python), `, mkdir '/x'` (node), ` @ dir_s_mkdir - /x` (Ruby), `: AH00099: ... /x` (Apache).
_FOLLOWS = re.compile(r"[\"')\]]{0,3}\s?(?:[:,]\s{0,2}(?:\w+\s)?['\"]?/|@ \w+ - /|: AH\d+: )")
_FILE_SYSTEM_PATH = re.compile(r"filesystem path '(/[^']{1,400})'")
#: Whose words are about files that are there, not about what is opened.
_PLACES = ("/dev/", "/proc/", "/sys/")
#: Where a tmpfs hides nothing that an image brings; what lies there belongs to one run.
_SCRATCH = ("/tmp", "/var/tmp")
_RUNTIME = ("/run", "/var/cache", "/var/log")
#: Never a tmpfs, whatever was written there: programs, or what holds much else.
_NEVER = frozenset(
    "/ /bin /boot /dev /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /opt /proc /sbin /srv /sys /usr /usr/bin /usr/lib "
    "/usr/lib64 /usr/libexec /usr/local /usr/local/bin /usr/local/lib /usr/local/sbin /usr/sbin /usr/share /var /var/lib".split()
)
_PROGRAMS = ("/bin/", "/sbin/", "/lib/", "/lib64/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/", *_PLACES)


def path_in(line: str, errors: Iterable[tuple[int, int]] = ()) -> str:
    """The path that a line is about, given where the words of its errors stand; empty where it names none."""
    known = _FILE_SYSTEM_PATH.search(line)
    if known is not None:
        return _trimmed(known[1])
    paths = [(match.start(), _trimmed(match[0])) for match in _PATH.finditer(line)]
    paths = [(at, path) for at, path in paths if path]
    if not paths:
        return _relative(line)
    spans = sorted(errors)
    if not spans:
        return paths[-1][1] if re.search(r"\bwrit", line) is None else paths[0][1]
    start, end = spans[0]
    after = [path for at, path in paths if at >= end]
    if after and _FOLLOWS.match(line, end):
        # Where something is renamed, it is the new name's folder that refuses.
        return after[1] if len(after) > 1 and re.search(r"'? -> '?/", line[end:]) else after[0]
    before = [path for at, path in paths if at < start]
    return before[-1] if before else after[0] if after else ""


def _trimmed(path: str) -> str:
    return "/" + path.strip("/").rstrip(".,") if path.strip("/") else ""


def _relative(line: str) -> str:
    match = re.search(r"['\"(]((?:\./)?[\w.-]{1,60}(?:/[\w.-]{1,60}){0,8})['\")]", line)
    return match[1].removeprefix("./") if match is not None and match[1].strip(".") else ""


def folders_of(path: str, written: Mapping[str, str]) -> list[str]:
    """The folders that a tmpfs may take so that a path can be written, best first.

    A folder that the original was seen to write is best; else the folder of the path, where nothing that an image brings is
    hidden: below /run, /tmp, /var/cache, /var/log, /var/tmp, /var/lib/x. Without an absolute path, what was seen must tell.
    """
    seen = [one for one in written if _may(one)]
    if not path.startswith("/"):
        # A relative name is one of a folder that was seen; without any name, what was seen is all there is to try.
        name = path.partition("/")[0]
        named = [one for one in seen if name and name in one.split("/")]
        return named or sorted(seen)
    path = _real(path)
    around = sorted((one for one in seen if f"{path}/".startswith(f"{_real(one).rstrip('/')}/")), key=len, reverse=True)
    for place in _SCRATCH:
        if f"{path}/".startswith(f"{place}/"):
            return [*around[:1]] if place in around else [place]
    return list(dict.fromkeys((*around[:1], *_guessed(path))))[:2]


def _guessed(path: str) -> list[str]:
    if path in _RUNTIME:
        return [path]
    parent = path.rpartition("/")[0]
    if any(f"{parent}/".startswith(f"{place}/") for place in _RUNTIME):
        return [parent]
    if path.startswith("/var/lib/"):
        return ["/".join(path.split("/")[:4])] if path.count("/") <= 4 else [parent]
    return []


def _real(path: str) -> str:
    """Without the links that every image has."""
    for link, target in (("/var/run", "/run"), ("/var/lock", "/run/lock")):
        if path == link or path.startswith(f"{link}/"):
            return target + path[len(link) :]
    return path.rstrip("/") or "/"


def _may(folder: str) -> bool:
    return _real(folder) not in _NEVER and not f"{folder.rstrip('/')}/".startswith(_PROGRAMS)


# The words of a reason.

_STRUCTURED = re.compile(r"\"?\b(?:error|err|msg|message|reason)\"?\s?[:=]\s?\"((?:[^\"\\]|\\.){1,600})\"", re.IGNORECASE)
_LEVEL = re.compile(r"^(?:[A-Za-z]*Error|[A-Za-z]*Exception|Fatal error|Fatal|Warning|PHP Warning|PHP Fatal error):\s+(?=\S+\s)")
_SECRET = re.compile(r"(?<=://)[^/\s@]{1,200}@|(?<=[=:])(?<=(?:word|cret|oken)[=:])\S+", re.IGNORECASE)
_VARYING = (
    (re.compile(r"\b(pid|tid|process|child|worker|thread)(\s?[:=#]?\s?)\(?\d+\)?", re.IGNORECASE), r"\1"),
    (re.compile(r"[, ]+(?:client|server|request|upstream|host): .*$"), ""),
    (re.compile(r" (?:in|at) /\S+(?:\.\w+)? (?:on )?line \d+.*$"), ""),
    (re.compile(r" \[preauth\]|: unknown\.?$"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|\b\d\d:\d\d:\d\d\S*"), "*"),
    (re.compile(r"\b(?!0\.0\.0\.0|127\.)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{4,5})?\b"), "*"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{12,}\b|\b\d{6,}\b"), "*"),
    (
        re.compile(
            r"(?<=[/.])(?:tmp|temp)[._-]?(?=\w*[\dA-Z_])\w{4,}|(?<=/)(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])\w{8,}|(?<=\.)(?=\w*[A-Z])\w{6,10}(?=['\":\s])"
        ),
        "*",
    ),
    (re.compile(r"\s{2,}"), " "),
)
_ERROR_WORDS = re.compile(
    r"operation not permitted|permission denied|read-only file ?system|no such file or directory|cannot allocate memory|"
    r"resource temporarily unavailable|no space left on device|out of memory|\b(?-i:E[A-Z]{4,6})\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:l?chown|chmod|mkdir|mknod|chroot|unlink|rename|open|bind|listen|kill|set(?:res|e)?[ug]id|setgroups|initgroups|exec|"
    r"mkstemp|symlink|utime|socket|create|write|remove)\b",
    re.IGNORECASE,
)


def why_of(text: str, name: str = "", errors: Iterable[tuple[int, int]] = ()) -> str:
    """What was seen, in at most 60 characters that are the same in every run: no times, no ids, no secrets."""
    line = within(text)
    said = message(line)
    if said.startswith("{") or re.match(r"[\w.]+=", said):
        said = ": ".join(dict.fromkeys(match[1] for match in _STRUCTURED.finditer(said))) or said
    said = _SECRET.sub("*", said)
    for pattern, new in _VARYING:
        said = pattern.sub(new, said)
    said = said.strip(" ,;:-")
    if len(said) > LONGEST_WHY:
        said = _LEVEL.sub("", said)
    if len(said) <= LONGEST_WHY:
        return said or name
    told = _ERROR_WORDS.search(said)
    path = path_in(said, [told.span()] if told else ())
    if told is None:
        return _cut(said, LONGEST_WHY)
    verb = _VERB.search(said)
    start = verb[0].lower() if verb else name
    room = LONGEST_WHY - len(start) - len(told[0]) - 4
    if path.startswith("/") and room > 8:
        short = path if len(path) <= room else "..." + path[len(path) - room + 3 :]
        return f"{start}: {short}: {told[0]}"
    if not path.startswith("/") and told.start() > 12:
        return f"{_cut(said[: told.start()].rstrip(' :(,0123456789'), LONGEST_WHY - len(told[0]) - 2)}: {told[0]}"
    return f"{start}: {told[0]}" if start else _cut(said, LONGEST_WHY)


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    head = text[: room - 3]
    return (head.rpartition(" ")[0] if " " in head[room // 2 :] else head).rstrip(" ,;:(") + "..."
