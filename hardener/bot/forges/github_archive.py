"""A commit's files from GitHub in one answer, which another host of it gives. Knows one redirection, and takes no token along.

`GET /repos/OWNER/NAME/tarball/REF` answers 302 with an address that for a private repository holds its own right to be read, for
five minutes (docs.github.com/rest/repos/contents, "Download a repository archive (tar)"). It is at codeload.github.com; for an
Enterprise server at codeload.HOST (docs.github.com/enterprise-server/admin/configuring-settings/hardening-security-for-your-
enterprise/enabling-subdomain-isolation), or without subdomains below HOST/_codeload/ (as m-mizutani/octovy expects it,
backend/pkg/usecase/scan_test.go@db1b82b0).
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TYPE_CHECKING

from hardener.bot.forge import ForgeError, Unavailable
from hardener.bot.forges.bounded import AS_IT_IS, bind, pieces
from hardener.bot.forges.github_errors import lost
from hardener.bot.forges.github_requests import PATIENCE, Requests

if TYPE_CHECKING:
    from requests import PreparedRequest

#: An address in which everybody finds the same host.
_PLAIN = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?(/[!-~]*)?")
_PORTS = {"https": ":443", "http": ":80"}


def archive(requests: Requests, here: str, commit: str) -> Generator[bytes, None, None]:
    """As `Forge.archive`, for the repository at a path of the API."""
    from urllib.parse import quote

    from requests import RequestException, Session

    there = requests.leads_to(f"{here}/tarball/{quote(commit, safe='')}")
    if not is_of(requests.api, there):
        raise ForgeError(f"{requests.host} sends us elsewhere for an archive")
    with Session() as session:
        bind(session)
        # Set, it keeps what a .netrc has for that host from being sent.
        session.auth = _nobody
        session.headers.update(AS_IT_IS | {"User-Agent": "harden"})
        try:
            answer = session.get(there, stream=True, allow_redirects=False, timeout=PATIENCE)
        except (RequestException, OSError, ValueError) as error:
            raise lost(error, requests.host, PATIENCE) from None
        if answer.status_code != 200:
            raise Unavailable(f"{requests.host} gives no archive ({answer.status_code})")
        yield from pieces(answer)


def is_of(api: str, address: str) -> bool:
    """Whether an address is at the host of an API, or at the one that gives the archives for it, by the same scheme and port."""
    ours, theirs = _PLAIN.fullmatch(api), _PLAIN.fullmatch(address)
    if ours is None or theirs is None:
        return False
    host = ours[2].lower()
    domain = host.removeprefix("api.")
    at = theirs[1], theirs[2].lower(), theirs[3] or _PORTS[theirs[1]]
    return at in {(ours[1], one, ours[3] or _PORTS[ours[1]]) for one in (host, f"codeload.{domain}")}


def _nobody(request: PreparedRequest) -> PreparedRequest:
    return request
