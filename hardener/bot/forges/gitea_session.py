"""Asks the API of a Gitea or Forgejo server with a token, and turns refusals into errors. Knows no pull requests.

The clients on PyPI were looked at. pyforgejo 2.0.7 and gitea-api-client 1.27.3 are each generated for one of the two servers and
take its answers by strict models; the one repeats writes, 409 among them, the other works with asyncio only; both bring httpx
and pydantic. py-gitea 0.2.10 has no types, trees or reviews. Twenty requests are needed, and `requests` is there with `docker`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hardener.bot.forge import Forbidden, ForgeError, Limited, Missing, Unavailable
from hardener.bot.forges.answers import objects
from hardener.bot.forges.bounded import AS_IT_IS, bind, pieces
from hardener.bot.forges.refusals import one_line, retry_after
from hardener.record import NamedTuple
from hardener.render.summary import clean, shortened

if TYPE_CHECKING:
    import requests

#: What a token needs: the names of scopes in models/auth/access_token_scope.go of go-gitea/gitea; Forgejo has the same.
SCOPES = "give it the scopes write:repository, write:issue and read:user"
#: How long a server may keep silent, in seconds.
_PATIENCE = 30
#: What one page may hold unless the server says less: MAX_RESPONSE_ITEMS (go-gitea/gitea modules/setting/api.go@2f1cce27).
PAGE = 50
#: How often a read that moves within the server is followed: it does so where a repository has another name by now.
_HOPS = 3
#: Characters of what the server said that are repeated.
_SAID = 200
#: What stands behind the `?` of an address.
Query = Mapping[str, str | int]
_NOTHING: Query = {}
_TOKEN = re.compile(r"[!-~]{1,1024}")
_SERVER = re.compile(r"(https?)://(?:[^/@\s]*@)?([^/@\s?#]+)((?:/[^\s?#]*)?)")


class Answer(NamedTuple):
    """What the server said: its status, what the JSON holds (None for none), and its message, fit to be shown."""

    status: int
    data: Any
    said: str = ""


class Session:
    """A server, and the right to ask it. Reads are tried three times, writes once; neither is ever sent to another server."""

    def __init__(self, server: str, token: str, pauses: Sequence[float] = (0.5, 1.5)) -> None:
        """`server` is the address that people see, without user or password; `pauses` are in seconds, before each new try."""
        import requests

        match = _SERVER.fullmatch(server.rstrip("/"))
        if match is None:
            raise ForgeError(f"{shortened(clean(server))} is not the address of a server", "it begins with https://")
        if not _TOKEN.fullmatch(token):
            raise Forbidden("the token is empty, or has characters that no token has", "pass it without quotes and spaces")
        self.server = f"{match[1]}://{match[2]}{match[3]}"
        self._api = self.server + "/api/v1"
        self._token = token
        self._pauses = tuple(pauses)
        self._session = requests.Session()
        bind(self._session)
        # Set as `auth`, it takes precedence over what a .netrc has for the server.
        self._session.auth = _with_token(token)
        self._session.headers["Accept"] = "application/json"
        self._session.headers["User-Agent"] = "harden"

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        take: Collection[int] = (),
        query: Query = _NOTHING,
    ) -> Answer:
        """One request below `/api/v1`. A status of failure that is not among those to `take` becomes an error."""
        response = self._sent(method, path, body, query)
        status = response.status_code
        data: Any = None
        if response.content:
            try:
                data = response.json()
            except (ValueError, RecursionError):
                if status < 300:
                    fault = f"{self._host()} did not answer as Gitea's API does"
                    raise ForgeError(fault, "check the address, and what stands before the server") from None
        said = self._shown(data.get("message") if isinstance(data, dict) else "")
        if status >= 300 and status not in take:
            raise self._refusal(method, response, said)
        return Answer(status, data, said)

    def raw(self, path: str, query: Query = _NOTHING) -> bytes:
        """What a path holds, as it is."""
        response = self._sent("GET", path, None, query)
        if response.status_code >= 300:
            raise self._refusal("GET", response, "")
        return response.content

    def streamed(self, path: str) -> Generator[bytes, None, None]:
        """What a path holds, as it comes."""
        response = self._sent("GET", path, None, _NOTHING, stream=True)
        if response.status_code >= 300:
            raise self._refusal("GET", response, self._shown(_message(response)))
        yield from pieces(response)

    def pages(self, path: str, most: int, query: Query = _NOTHING) -> Iterator[dict[str, Any]]:
        """The objects of a list, page after page, until the server has told all or `most` have been asked for.

        The server may give less on a page than it is asked for, so only the total or an empty page is the end.
        """
        seen, page = 0, 1
        while seen < most:
            response = self._sent("GET", path, None, {**query, "page": page, "limit": PAGE})
            if response.status_code >= 300:
                raise self._refusal("GET", response, self._shown(_message(response)))
            items = objects(_json(response))
            yield from items[: most - seen]
            seen, page = seen + len(items), page + 1
            total = response.headers.get("X-Total-Count", "")
            if not items or (total.isdecimal() and seen >= int(total)):
                return

    def _sent(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Query, *, stream: bool = False
    ) -> requests.Response:
        from time import sleep

        import requests

        pauses = iter(self._pauses if method == "GET" else ())
        while True:
            response, fault = None, ""
            try:
                response = self._moved_along(method, self._api + path, body, query, stream)
            except (requests.Timeout, TimeoutError):
                fault = f"did not answer in {_PATIENCE} seconds"
            except requests.exceptions.SSLError:
                raise Unavailable(f"the certificate of {self._host()} is not trusted", "see REQUESTS_CA_BUNDLE") from None
            except ValueError:
                # Of `urllib`, for an address that is none.
                raise ForgeError(f"{self._host()} leads to what is not an address") from None
            except (requests.RequestException, OSError):
                fault = "cannot be reached, or broke off"
            if response is not None and (response.status_code not in (502, 503, 504) or "Retry-After" in response.headers):
                return response
            pause = next(pauses, None)
            if pause is not None:
                sleep(pause)
            elif response is not None:
                return response
            else:
                raise Unavailable(f"{self._host()} {fault}", "run again later: what is half done is finished then")

    def _moved_along(
        self, method: str, url: str, body: Mapping[str, Any] | None, query: Query, stream: bool
    ) -> requests.Response:
        """The answer, wherever within the server it is; what a redirection to elsewhere says is not followed."""
        from urllib.parse import urljoin

        asked: Query | None = query
        for _ in range(_HOPS):
            response = self._session.request(
                method,
                url,
                json=body,
                params=asked,
                timeout=_PATIENCE,
                allow_redirects=False,
                stream=stream,
                headers=AS_IT_IS if stream else None,
            )
            if response.status_code not in (301, 302, 303, 307, 308):
                return response
            # Gitea carries the query along.
            url, asked = urljoin(url, response.headers.get("Location", "")), None
            if method != "GET" or not url.startswith(self._api + "/"):
                raise ForgeError(
                    f"{self._host()} has it elsewhere by now, at {shortened(self._shown(url.partition('?')[0]), 120)}",
                    "name the repository as it is called there",
                )
        raise ForgeError(f"{self._host()} leads in a circle")

    def _refusal(self, method: str, response: requests.Response, said: str) -> ForgeError:
        """The error for a status of failure. `said` may name what is missing; no two versions word it alike."""
        status, host = response.status_code, self._host()
        words = f": {said}" if said else ""
        retry = response.headers.get("Retry-After", "")
        if status == 429 or (retry and status in (403, 503)):
            return Limited(f"{host} asks to be left alone for a while{words}", retry_after(retry, datetime.now(UTC)))
        if status == 401:
            return Forbidden(f"{host} does not know the token{words}", f"make one in the settings of the account, and {SCOPES}")
        if status == 423 or (status == 403 and re.search("archived|mirror", said, re.IGNORECASE)):
            return Forbidden(f"{host} takes no changes to the repository{words}", "it is archived, or a mirror of another")
        if status == 403 and re.search("scope|token", said, re.IGNORECASE):
            return Forbidden(f"the token may not do this{words}", SCOPES)
        if status == 403:
            return Forbidden(
                f"{host} forbids this{words}",
                "give the account the right to write, and let rules for protected branches allow it harden/* and harden-next/*",
            )
        if status == 404:
            return Missing(f"{host} has nothing there{words}", f"check the name, and whether the token may see it: {SCOPES}")
        if status == 413:
            return ForgeError(f"that is more than {host} takes{words}", "see the account's quota, and the server's limits")
        if status >= 500:
            rule = "; if it stays so, see in its log whether a rule or a hook refuses the push" if method != "GET" else ""
            return Unavailable(f"{host} failed with status {status}{words}", f"run again later{rule}")
        return ForgeError(f"{host} refuses with status {status}{words}")

    def _host(self) -> str:
        return shortened(clean(self.server.partition("//")[2]))

    def _shown(self, text: object) -> str:
        """What the server says in one line of bounded length, without what steers a terminal, and without the token."""
        return one_line(text, self._token, _SAID) if isinstance(text, str) else ""


def _with_token(token: str) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"token {token}"
        return request

    return sign


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _message(response: requests.Response) -> object:
    data = _json(response)
    return data.get("message") if isinstance(data, dict) else ""
