"""How one GitLab is spoken to: the token, pages, limits, and what its refusals mean to a person. Knows no merge request.

python-gitlab speaks; its own waiting and repeating are off, since a run that is told to wait ends and the next one goes on. Only
what reads is asked again, twice and at once. The token never leaves the address that was given, wherever answers point.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from hardener.bot.forge import Forbidden, ForgeError, Limited, Missing, Unavailable
from hardener.bot.forges.bounded import AS_IT_IS, bind, pieces
from hardener.bot.forges.refusals import one_line, retry_after
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from gitlab.exceptions import GitlabError
    from requests import Response, Session

T = TypeVar("T")
#: Seconds between the attempts of what reads.
PAUSES = (0.2, 0.8)
#: Seconds without a byte until an answer counts as lost.
TIMEOUT = 30.0
#: What GitLab gives at most in one page (doc/api/rest/_index.md, "Offset-based pagination").
PER_PAGE = 100
#: Bytes of a file that are read: GitLab does not say the size before.
LONGEST_FILE = 16 * 1024 * 1024
#: Characters of what GitLab said that are repeated.
_SAID = 240
_REDIRECTS = 3
#: A job's token may read some of what there is, and write none of it (doc/ci/jobs/ci_job_token.md, "Job token access").
JOB_TOKEN = (
    "CI_JOB_TOKEN can neither push commits nor open merge requests",
    "make a project access token with the role Developer and the scope `api`, and give it to the job as the masked variable "
    "GITLAB_TOKEN",
)
#: What push rules and protected branches say, and what helps (ee/lib/ee/gitlab/checks/push_rules/commit_check.rb, branch_check.rb
#: and lib/gitlab/checks/branch_check.rb of gitlab-org/gitlab).
_REMEDIES = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy)
    for pattern, remedy in (
        (r"\bDCO\b|signed? ?off", "set `sign_off = true` in the table `pr` of the configuration"),
        (
            r"branch name .*does not follow the pattern|branch names? .*(invalid|must match)|tried to create '",
            "set `branch_prefix` in the table `pr` to what the project's push rules allow",
        ),
        (
            r"commit message (does not follow|contains the forbidden)",
            "set `title_prefix` in the table `pr` to what the project's push rules ask of commit messages",
        ),
        (
            r"(author|committer)('s)? .*(email|not a member|not verified)|verified emails",
            "set `author` in the table `pr` to a name and address that the project's push rules allow, or leave it out",
        ),
        (r"must be signed|reject unsigned", "the project takes signed commits only: leave out `author`, so that GitLab may sign"),
        (
            r"not allowed to (force )?push|protected branch|push into this branch|delete.*protected",
            "a rule protects these branches, perhaps by a wildcard: set `branch_prefix` in the table `pr` to an unprotected "
            "name, or have a maintainer allow the token's user to push and force push there",
        ),
        (r"file ?name .*prohibited|larger than the allowed|exceeds? .*size", "the project's push rules forbid this file"),
        (r"another open merge request already exists", "close that merge request, or run again once it is merged"),
        (r"insufficient.scope|higher privileges", "the token needs the scope `api`"),
    )
)


class Listed(NamedTuple):
    """What is on the pages of a list."""

    items: Sequence[Any]
    #: How many pages were asked for, and whether they are all.
    pages: int
    is_all: bool


def whole(item: Any) -> Any:
    """All of an item of a list."""
    return item


class Server:
    """One GitLab, at an address such as `https://gitlab.com` or `https://host/gitlab`, as whoever has the token sees it."""

    def __init__(self, address: str, token: str, *, is_job_token: bool = False) -> None:
        from gitlab import Gitlab

        from hardener import __version__

        self.address = address.rstrip("/")
        self.is_job_token = is_job_token
        self._token = token
        self._session = _bound_session(f"{self.address}/api/v4/")
        self._gitlab = Gitlab(
            self.address,
            **{"job_token" if is_job_token else "private_token": token},  # type: ignore[arg-type]
            timeout=TIMEOUT,
            retry_transient_errors=False,
            keep_base_url=True,
            user_agent=f"harden/{__version__}",
            session=self._session,
        )

    def get(self, path: str, /, **query: Any) -> Any:
        """What GitLab answers: a mapping or a list."""
        return self._json(self._read(path, query))

    def listed(
        self,
        path: str,
        most: int,
        each: Callable[[Any], Any] = whole,
        until: Callable[[Listed], bool] = lambda _: False,
        /,
        **query: Any,
    ) -> Listed:
        """A list, from at most so many pages, or until what is known of it is enough.

        Of an item only what `each` gives is kept, and nothing where that is None.
        """
        found: list[Any] = []
        further: dict[str, Any] | None = {**query, "per_page": PER_PAGE}
        pages = 0
        while further is not None and pages < most and not until(Listed(found, pages, False)):
            answer = self._read(path, further)
            items = self._json(answer)
            if not isinstance(items, list):
                raise ForgeError("GitLab answered with something that is no list", self._not_gitlab())
            found += (kept for item in items if (kept := each(item)) is not None)
            pages += 1
            further = _next(answer, further)
        return Listed(found, pages, further is None)

    def raw(self, path: str) -> bytes:
        """A file. Raises a `ForgeError` where it is too long to be read."""

        def read() -> bytes:
            answer = self._gitlab.http_request("get", path, streamed=True, obey_rate_limit=False)
            data = bytearray()
            with answer:
                for piece in answer.iter_content(1 << 16):
                    data += piece
                    if len(data) > LONGEST_FILE:
                        raise ForgeError(f"a file has more than {LONGEST_FILE >> 20} MiB", "exclude it in the configuration")
            return bytes(data)

        return self._tried(read, again=True)

    def streamed(self, path: str, /, **query: Any) -> Generator[bytes, None, None]:
        """What a path holds, as it comes. A limit counts as one of this path alone: it refuses, and `Limited` is not raised."""

        def ask() -> Response:
            return self._gitlab.http_request("get", path, query, streamed=True, obey_rate_limit=False, extra_headers=AS_IT_IS)

        try:
            answer = self._tried(ask, again=False)
        except Limited as limited:
            raise ForgeError(limited.reason) from None
        yield from pieces(answer)

    def post(self, path: str, /, **data: Any) -> Any:
        """Make something. Never repeated: an answer that is lost may stand for something that was made."""
        return self._json(self._written("post", path, data))

    def put(self, path: str, /, **data: Any) -> Any:
        """Change something."""
        return self._json(self._written("put", path, data))

    def delete(self, path: str) -> None:
        """Take something away."""
        self._written("delete", path, None)

    def _read(self, path: str, query: Mapping[str, Any]) -> Response:
        return self._tried(lambda: self._gitlab.http_request("get", path, dict(query), obey_rate_limit=False), again=True)

    def _written(self, verb: str, path: str, data: dict[str, Any] | None) -> Response:
        if self.is_job_token:
            raise Forbidden(*JOB_TOKEN)
        return self._tried(lambda: self._gitlab.http_request(verb, path, post_data=data, obey_rate_limit=False), again=False)

    def _tried(self, ask: Callable[[], T], *, again: bool) -> T:
        """What a request gives; where it failed by no fault of ours, the request is made again."""
        from time import sleep

        from gitlab.exceptions import GitlabError
        from requests import RequestException

        for pause in (*(PAUSES if again else ()), None):
            try:
                return ask()
            except GitlabError as error:
                refusal = self._refusal(error)
            except RequestException as error:
                refusal = self._unheard(error)
            except (ValueError, RecursionError):
                # Of `requests`, for an address in its headers that is none; of `json`, which python-gitlab reads refusals by.
                refusal = ForgeError("GitLab answered with something that cannot be read", self._not_gitlab())
            if pause is None or not isinstance(refusal, Unavailable):
                raise refusal from None
            sleep(pause)
        raise AssertionError

    def _json(self, answer: Response) -> Any:
        try:
            return answer.json()
        except (ValueError, RecursionError):
            raise ForgeError("GitLab answered with something that is no JSON", self._not_gitlab()) from None

    def _not_gitlab(self) -> str:
        return f"is {self.line(self.address)} the address of a GitLab, with its path if it has one?"

    def line(self, said: object, depth: int = 3) -> str:
        """What somebody said, as one line of bounded length without control characters and without the token.

        Refusals say it in lists within objects; what is deeper than `depth` is left out.
        """
        if isinstance(said, bytes):
            said = said.decode(errors="replace")
        if isinstance(said, (Mapping, list, tuple)) and not depth:
            said = "…"
        elif isinstance(said, Mapping):
            said = "; ".join(f"{key}: {self.line(value, depth - 1)}" for key, value in said.items())
        elif isinstance(said, (list, tuple)):
            said = "; ".join(self.line(value, depth - 1) for value in said)
        return one_line(str(said), self._token, _SAID)

    def _unheard(self, error: Exception) -> ForgeError:
        from requests import exceptions

        host = self.line(self.address)
        if isinstance(error, exceptions.SSLError):
            return Unavailable(f"the certificate of {host} is not trusted", "name its authority in REQUESTS_CA_BUNDLE")
        if isinstance(error, exceptions.Timeout):
            return Unavailable(f"{host} gave no answer within {TIMEOUT:.0f} s", "run again later")
        if isinstance(error, (exceptions.InvalidURL, exceptions.MissingSchema, exceptions.InvalidSchema)):
            return ForgeError(f"{host} is no address", "write it as https://HOST or https://HOST/PATH")
        return Unavailable(f"the connection to {host} failed or was cut", "run again later")

    def _refusal(self, error: GitlabError) -> ForgeError:
        """What a refusal of GitLab means."""
        code, said = error.response_code or 0, self.line(error.error_message or error.response_body or "")
        if said.startswith("<"):
            # A page for a browser.
            said = ""
        reason = f"GitLab answered {code}" + (f": {said}" if said else "")
        if code == 429:
            return Limited(reason, self._until())
        if 300 <= code < 400:
            target = self.line(self._headers().get("Location", "").partition("/api/v4")[0])
            return ForgeError(f"{self.line(self.address)} sends its clients elsewhere", f"give the address {target}")
        if code >= 500 or code == 408:
            return Unavailable(reason, "run again later")
        if self.is_job_token and code in (401, 403, 404):
            return (Missing if code == 404 else Forbidden)(reason, f"{JOB_TOKEN[0]}, nor read files: {JOB_TOKEN[1]}")
        if code == 401:
            return Forbidden(reason, "the token is not known here, or has expired or been revoked: make a new one")
        remedy = next((remedy for pattern, remedy in _REMEDIES if pattern.search(said)), "")
        if code == 403:
            role = "the token's user needs the role Developer in the project, and the token the scope `api`"
            return Forbidden(reason, remedy or role)
        if code == 404:
            return Missing(reason, "is the name right, and may the token see it?")
        if code == 413:
            return ForgeError(reason, "the change is larger than this GitLab takes in one request")
        return Forbidden(reason, remedy) if remedy and code in (400, 422) else ForgeError(reason, remedy)

    def _headers(self) -> Mapping[str, str]:
        """Those of the last answer."""
        return self._session.answered.headers if self._session.answered is not None else {}

    def _until(self) -> datetime | None:
        """When GitLab wants to be asked again (doc/security/rate_limits.md, "Response headers")."""
        headers = self._headers()
        reset = headers.get("RateLimit-Reset", "")
        until = datetime.fromtimestamp(int(reset), UTC) if re.fullmatch(r"[0-9]{9,11}", reset) else None
        return retry_after(headers.get("Retry-After", ""), datetime.now(UTC)) or until


@contextmanager
def understood() -> Iterator[None]:
    """Says of an answer that lacks what it should have, or has it in another form, that it was not understood."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        kind = type(error).__name__
        raise ForgeError(f"an answer of GitLab is not as its documentation says ({kind})", "is it a very old one?") from error


def quoted(name: str | int) -> str:
    """A name as one part of a path. Raises `Missing` for those that a path goes up by: nothing is called so."""
    from urllib.parse import quote

    if not str(name).strip("."):
        raise Missing(f"there is nothing by the name {str(name)!r}")
    return quote(str(name), safe="")


def _next(answer: Response, query: Mapping[str, Any]) -> dict[str, Any] | None:
    """The query of the next page; None behind the last one.

    Of the link only its query counts: behind a proxy, its host and path may be others than those that we reach GitLab by.
    """
    from urllib.parse import parse_qsl, urlsplit

    if link := answer.links.get("next", {}).get("url"):
        return dict(parse_qsl(urlsplit(link).query, keep_blank_values=True))
    page = answer.headers.get("X-Next-Page", "")
    return {**query, "page": page} if page.isdecimal() else None


def _bound_session(prefix: str) -> Any:
    """A session that asks nothing whose address does not begin so, and goes after no redirection that leads elsewhere."""
    from urllib.parse import urljoin

    import requests

    class Bound(requests.Session):
        answered: Response | None = None

        def request(self, method: str, url: str | bytes, *args: Any, **options: Any) -> Response:
            address = str(url)
            options["allow_redirects"] = False
            for _ in range(_REDIRECTS):
                if not address.startswith(prefix):
                    raise requests.exceptions.InvalidURL(address)
                answer = self.answered = super().request(method, address, *args, **options)
                # A project that has moved is told by one, to the same address: only reading may follow.
                target = urljoin(address, answer.headers.get("Location", ""))
                if not answer.is_redirect or method.lower() != "get" or not target.startswith(prefix):
                    return answer
                address, options["params"] = target, None
            return answer

    session: Session = Bound()
    bind(session)
    return session
