"""How GitHub's API is asked: one request after the other, at its pace. Knows no repository, and not what an answer means.

PyGithub's `Requester` carries the requests, of which it is the documented way to ask what its objects do not. Those are not used:
they ask again by themselves for what an answer leaves out, and tell neither a redirection nor an unchanged answer (304) from
content. It never retries here, follows a redirection (301) by its path alone, to the same host, and keeps the time between
requests. All that goes wrong is a `ForgeError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hardener.bot.forge import Forbidden, ForgeError, Missing, Unavailable
from hardener.bot.forges.answers import at, text
from hardener.bot.forges.bounded import bind
from hardener.bot.forges.github_errors import Attempt, Unsupported, failure, failure_of_query, lost, said
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from github.Requester import Requester

#: Seconds for one request; GitHub itself ends one after 10.
PATIENCE = 30
#: Seconds between requests, and between those that write: docs.github.com/rest/using-the-rest-api/
#: best-practices-for-using-the-rest-api asks for one after the other, and for a second where many write. Its secondary limit
#: lets 900 points through in a minute, of which a request that reads takes one (rate-limits-for-the-rest-api).
BETWEEN_REQUESTS, BETWEEN_WRITES = 0.07, 1.0
#: How often something is asked once more that a gateway lost; only what reads.
RETRIES = 2
#: The most that a page holds.
PER_PAGE = 100
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))


class _Answer(NamedTuple):
    """What was answered with success."""

    data: Any
    headers: Mapping[str, str]


class Requests:
    """The API at one address, for whoever has one token; without a token, what everybody may read."""

    def __init__(self, api: str, token: str, pause: float | None = None) -> None:
        """`pause` is how many seconds pass between two requests that write; None for what is fitting for the host."""
        from urllib.parse import urlsplit

        address = urlsplit(api)
        local = address.hostname in _LOCAL
        if not address.hostname or address.scheme not in ("https", *(["http"] if local else [])) or address.username is not None:
            raise ForgeError(
                f"no address to send a token to: {said({'message': api}, token)}",
                "it has to begin with https://, such as https://api.github.com or https://HOST/api/v3",
            )
        if not re.fullmatch(r"[!-~]*", token):
            raise Forbidden("the token has characters that no token has", "look for a space or a line end in it")
        try:
            import github
        except ImportError:
            raise ForgeError("PyGithub is not installed", "install it with `pip install 'hardener[github]'`") from None
        import logging

        # It tells each redirection on standard error, with an address that is a stranger's text.
        logging.getLogger("github").setLevel(logging.CRITICAL)
        self.api, self.host = api.rstrip("/"), address.hostname
        self._token = token
        writes = pause if pause is not None else 0.0 if local else BETWEEN_WRITES
        self._rest = 0.0 if local else 0.5
        #: Seconds between what writes, and when that was last.
        self._between, self._written = writes, 0.0
        self._client = github.Github(
            auth=github.Auth.Token(token) if token else None,
            base_url=self.api,
            timeout=PATIENCE,
            user_agent="harden",
            per_page=PER_PAGE,
            retry=None,
            seconds_between_requests=min(BETWEEN_REQUESTS, writes),
            seconds_between_writes=writes,
        )
        _bind(self._requester)
        #: Answers that may be asked for again, by what was asked, with their ETags.
        self._kept: dict[str, tuple[str, _Answer]] = {}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, parameters: Mapping[str, object] | None = None, *, keep: bool = False) -> Any:
        """What is at a path. With `keep` it is only sent anew when it has changed, which does not count against the limit."""
        return self._read(path, dict(parameters or {}), keep).data

    def pages(self, path: str, parameters: Mapping[str, object], most: int, *, keep: bool = False) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page, at most so many pages. The number of the page is ours: no link is followed."""
        for number in range(1, most + 1):
            # The first page is the newest; all of them would be a lot to hold.
            answer = self._read(path, {**parameters, "per_page": PER_PAGE, "page": number}, keep and number == 1)
            items = answer.data if isinstance(answer.data, list) else []
            yield from (item for item in items if isinstance(item, dict))
            if 'rel="next"' not in answer.headers.get("link", ""):
                return

    def settle(self) -> None:
        """Wait until something may be written at once: PyGithub waits right before it writes, after all that was asked before."""
        import time

        time.sleep(max(0.0, self._written + self._between - time.monotonic()))

    def send(self, verb: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Have something written, once: what got no answer may have been done all the same."""
        return self._send(verb, path, body, Attempt(verb, path)).data

    def query(self, query: str, variables: Mapping[str, object], instead: Attempt) -> dict[str, Any]:
        """What GraphQL answers, asked once and at the pace of what writes.

        `instead` is the request that does the same by REST: what is refused is told as if it had been that. Raises `Unsupported`
        where the server has not, or not for us, what is asked, and has done nothing. An answer of 200 may hold errors, a limit
        among them (docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api).
        """
        try:
            answer = self._send("POST", self._requester.graphql_url, {"query": query, "variables": variables}, instead)
        except Missing as missing:
            raise Unsupported(missing.reason) from None
        if at(answer.data, "errors"):
            raise failure_of_query(instead, answer.data, answer.headers, said(answer.data, self._token))
        data = at(answer.data, "data")
        if not isinstance(data, dict):
            raise Unavailable(f"{self.host} answers with something that is no GraphQL", "look at the address of the API")
        return data

    def leads_to(self, path: str) -> str:
        """The address that a path sends to (302), which is not asked for: only the API's own may see the token."""
        import requests
        import urllib3

        try:
            accepted = {"Accept": "application/vnd.github+json"}
            status, answered, text = self._requester.requestJson("GET", path, {}, accepted)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, RuntimeError, ValueError) as error:
            raise lost(error, self.host, PATIENCE) from None
        if status == 302:
            return str(answered.get("location", ""))
        raise failure(Attempt("GET", path), status, answered, said(self._parsed(text, status), self._token))

    def viewer(self) -> str:
        """Who the token belongs to; empty where that cannot be told.

        The token of an app or a job may not ask `GET /user` (403), but GraphQL, which says `github-actions[bot]`: as
        marocchino/sticky-pull-request-comment, src/comment.ts (3d7b854), relies on.
        """
        try:
            if login := text(self.get("/user"), "login"):
                return login
        except (Forbidden, Missing):
            pass
        try:
            return text(self.query("query { viewer { login } }", {}, Attempt("GET", "/user")), "viewer", "login")
        except ForgeError:
            return ""

    @property
    def _requester(self) -> Requester:
        return self._client.requester

    def _send(self, verb: str, path: str, body: Mapping[str, object] | None, attempt: Attempt) -> _Answer:
        import time

        try:
            return self._ask(verb, path, {}, {}, body, attempt)
        finally:
            self._written = time.monotonic()

    def _read(self, path: str, parameters: dict[str, object], keep: bool) -> _Answer:
        import time

        key = f"{path}?{sorted(parameters.items())}"
        etag, kept = self._kept.get(key, ("", None)) if keep else ("", None)
        headers = {"If-None-Match": etag} if etag else {}
        for left in range(RETRIES, -1, -1):
            try:
                answer = self._ask("GET", path, parameters, headers, None, Attempt("GET", path), kept)
                break
            except _Hiccup as hiccup:
                if not left:
                    raise hiccup.error from None
                time.sleep(self._rest * (RETRIES + 1 - left))
        if keep and answer.headers.get("etag"):
            self._kept[key] = (answer.headers["etag"], answer)
        return answer

    def _ask(
        self,
        verb: str,
        path: str,
        parameters: dict[str, object],
        headers: dict[str, str],
        body: Mapping[str, object] | None,
        attempt: Attempt,
        kept: _Answer | None = None,
    ) -> _Answer:
        """One request; a refusal is told as of `attempt`. Raises `_Hiccup` for one that reads and may be asked again at once."""
        import requests
        import urllib3

        try:
            sent = {"Accept": "application/vnd.github+json", **headers}
            status, answered, content = self._requester.requestJson(verb, path, dict(parameters), sent, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, RuntimeError, ValueError) as error:
            failed = lost(error, self.host, PATIENCE)
            again = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
            never = (requests.exceptions.SSLError, requests.exceptions.ProxyError, requests.Timeout)
            if verb == "GET" and isinstance(error, again) and not isinstance(error, never):
                raise _Hiccup(failed) from None
            raise failed from None
        if status == 304 and kept is not None:
            return kept
        data = self._parsed(content, status)
        if status < 300:
            return _Answer(data, answered)
        refusal = failure(attempt, status, answered, said(data, self._token))
        if verb == "GET" and status in (502, 503, 504):
            raise _Hiccup(refusal)
        raise refusal

    def _parsed(self, content: str, status: int) -> Any:
        import json

        try:
            return json.loads(content) if content.strip() else None
        except (ValueError, RecursionError):
            if status < 300:
                raise Unavailable(
                    f"{self.host} answers with something that is no JSON", "look at the address of the API"
                ) from None
            return None


def _bind(requester: Requester) -> None:
    """Have PyGithub's sessions bounded: it makes them itself, and what may be injected by its leave does not keep connections."""
    made: Any = vars(requester)["_Requester__connectionClass"]

    class Bounded(made):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            bind(self.session, max_retries=self.retry, pool_connections=self.pool_size, pool_maxsize=self.pool_size)

    vars(requester)["_Requester__connectionClass"] = Bounded


class _Hiccup(ForgeError):
    """Something that may have passed in a moment; `error` says what."""

    def __init__(self, error: ForgeError) -> None:
        super().__init__(error.reason, error.remedy)
        self.error = error


def quoted(name: str) -> str:
    """A name as a part of a path, its slashes kept."""
    from urllib.parse import quote

    return quote(name, safe="/")
