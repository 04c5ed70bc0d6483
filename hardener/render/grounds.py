"""What fixes rest on, put together for pages: claims by their source, and where a source can be read. Knows no form."""

from __future__ import annotations

import re
from urllib.parse import quote

from hardener.finding import Evidence, Fix
from hardener.record import NamedTuple

#: As profiles and bases name a file of a public repository: `owner/name path/of/file@commit`, or `at` for the `@`.
_PUBLIC = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}) ([A-Za-z0-9._/+-]{1,300})(?:@| at )([0-9a-f]{7,40})", re.ASCII
)
#: What `Evidence.source` says where nothing was read or seen.
ASSUMED = "assumed"


class Ground(NamedTuple):
    """What one source says for a fix."""

    claims: tuple[str, ...]
    source: str


def grounds(fix: Fix, told: set[Evidence]) -> tuple[Ground, ...]:
    """The evidence of a fix by source, without what is in `told`, to which it is added: it is said once for each subject."""
    claims: dict[str, list[str]] = {}
    for item in fix.evidence:
        if item not in told:
            told.add(item)
            claims.setdefault(item.source, []).append(item.claim)
    return tuple(Ground(tuple(dict.fromkeys(said)), source) for source, said in claims.items())


def address(source: str) -> str:
    """Where a source can be read: the file in its public repository at that commit, or nothing.

    The address is made of its parts, so that it leads to github.com and nowhere else, whatever a source says.
    """
    match = _PUBLIC.fullmatch(source)
    if not match or any(part in ("", ".", "..") for part in (match[1] + "/" + match[2]).split("/")):
        return ""
    return f"https://github.com/{match[1]}/blob/{match[3]}/{quote(match[2], safe='/')}"
