"""What it means when GitHub refuses, and what a person does about it. Knows status codes and wordings, and asks nothing.

Where the wordings were seen is said beside them; a wording only adds a better remedy, for documentation names few.
What GitHub said is a stranger's text: it is told in one bounded line, without what steers a terminal and without the token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hardener.bot.forge import Forbidden, ForgeError, Limited, Missing, Unavailable
from hardener.bot.forges.answers import objects, text
from hardener.bot.forges.refusals import LONGEST_WAIT, one_line
from hardener.record import NamedTuple

#: Characters of what GitHub said.
_ROOM = 300
_LIMIT_WORDS = re.compile(r"secondary rate limit|api rate limit exceeded|abuse detection", re.IGNORECASE)
#: dependabot/dependabot-core#1911 and #9439, satisfactory-factories/application#67, actions/github-script#455.
_RULE_WORDS = re.compile(
    r"protected branch|rule violation|cannot force-push|creation restriction|through a pull request|verified signature",
    re.IGNORECASE,
)


class Refused(ForgeError):
    """GitHub takes a request for one that cannot be carried out (400, 409, 410, 422): asked again, it would say the same."""


class Unsupported(ForgeError):
    """The server has no GraphQL, or an older one that does not know what was asked, or this token may not ask that there.

    It has done nothing; by REST it may be done all the same, or be refused for good.
    """


class Attempt(NamedTuple):
    """A request that failed: enough of it to say what was to be done, and which right that takes."""

    verb: str
    #: Below the API's address, such as `/repos/acme/shop/git/refs`.
    path: str

    @property
    def deed(self) -> tuple[str, str]:
        """What was to be done, and the permission for it, as a workflow writes it."""
        reads = self.verb == "GET"
        for pattern, deed, permission in _DEEDS:
            if not reads and re.fullmatch(pattern, self.path):
                return deed, f"{permission}: write"
        if re.match(r"/repos/[^/]+/[^/]+/pulls", self.path):
            return "read pull requests", "pull-requests: read"
        if re.match(r"/repos/[^/]+/[^/]+/issues", self.path):
            return "read issues", "issues: read"
        return "read the repository", "contents: read"


_HERE = r"/repos/[^/]+/[^/]+"
#: Of requests that write: the path, the deed, and the permission of docs.github.com/rest/authentication/
#: permissions-required-for-fine-grained-personal-access-tokens.
_DEEDS = (
    (rf"{_HERE}/git/refs.*", "write a branch", "contents"),
    (rf"{_HERE}/git/.*", "make a commit", "contents"),
    (rf"{_HERE}/pulls", "create a pull request", "pull-requests"),
    (rf"{_HERE}/pulls/.*", "change or review a pull request", "pull-requests"),
    (rf"{_HERE}/issues/\d+/comments", "comment on a pull request", "pull-requests"),
    (rf"{_HERE}/issues/\d+/labels", "label a pull request", "pull-requests"),
    (rf"{_HERE}/issues.*", "write an issue", "issues"),
)


def said(data: Any, token: str = "") -> str:
    """What GitHub says in an answer that is an error, in one line."""
    words: list[str] = []
    if isinstance(data, dict):
        words.append(str(data.get("message") or ""))
        errors = data.get("errors")
        for error in errors[:5] if isinstance(errors, list) else []:
            if isinstance(error, dict):
                words.append(str(error.get("message") or " ".join(str(error.get(key, "")) for key in ("type", "field", "code"))))
            else:
                words.append(str(error))
    return one_line("; ".join(word for word in words if word.strip()), token, _ROOM)


def failure(attempt: Attempt, status: int, headers: Mapping[str, str], words: str, now: datetime | None = None) -> ForgeError:
    """The error for an answer. `headers` have their names in small letters, `words` is what `said` gives."""
    told = f"{status}: {words}" if words else str(status)
    return _failure(attempt, status, headers, words, told, now or datetime.now(UTC))


def failure_of_query(
    attempt: Attempt, data: Any, headers: Mapping[str, str], words: str, now: datetime | None = None
) -> ForgeError:
    """The error for an answer of GraphQL that has errors: the one that `attempt`, which does the same by REST, would end in."""
    kinds = {kind for error in objects(data, "errors") for kind in (text(error, "type"), text(error, "extensions", "code"))}
    told, now = words or "without a word", now or datetime.now(UTC)
    if kinds & (_UNKNOWN | _RIGHTS) or _UNKNOWN_WORDS.search(words) or _RIGHTS_WORDS.search(words):
        return Unsupported(f"GitHub has no such mutation or query for us ({told})")
    if kinds & _LIMITS:
        return _failure(attempt, 429, {**headers, "x-ratelimit-remaining": "0"}, words, told, now)
    if _LIMIT_WORDS.search(words):
        return _failure(attempt, 429, headers, words, told, now)
    if any(kind.endswith(_RULES) for kind in kinds):
        return _ruled(attempt, told)
    status = 422
    if "NOT_FOUND" in kinds:
        status = 404
    elif _TIMEOUT_WORDS.search(words):
        status = 504
    return _failure(attempt, status, headers, words, told, now)


#: What graphql-ruby, which GitHub runs, says before anything is done (rmosolgo/graphql-ruby@75ead50, lib/graphql/
#: static_validation/rules; an Enterprise server said so in refined-github/refined-github#6946).
_UNKNOWN = frozenset(("undefinedField", "variableRequiresValidType", "argumentNotAccepted"))
_UNKNOWN_WORDS = re.compile(r"field '\w+' doesn't exist on type 'mutation'", re.IGNORECASE)
#: The types of errors are documented nowhere. Limits: octokit/plugin-throttling.js#636, where no header shows one, and #848.
#: Rights: github-community-projects/contributors#492, github/docs#19712, and without a type symfony/thanks#41.
_LIMITS = frozenset(("RATE_LIMITED", "RATE_LIMIT"))
_RIGHTS = frozenset(("FORBIDDEN", "INSUFFICIENT_SCOPES"))
_RIGHTS_WORDS = re.compile(r"resource not accessible by|not been granted the required scopes", re.IGNORECASE)
#: BRANCH_PROTECTION_RULE_VIOLATION; rulesets have another one (Thinkmill/keystatic#1598).
_RULES = "RULE_VIOLATION"
#: "Timeouts" in docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api.
_TIMEOUT_WORDS = re.compile(r"respond to your request in time", re.IGNORECASE)


def _failure(attempt: Attempt, status: int, headers: Mapping[str, str], words: str, told: str, now: datetime) -> ForgeError:
    """The error for a status; `told` is what people read of what GitHub said."""
    if limit := _limit(status, headers, words, told, now):
        return limit
    deed, permission = attempt.deed
    permission = _accepted(headers.get("x-accepted-github-permissions", ""), permission)
    writes = attempt.verb != "GET"
    if status == 401:
        return Forbidden(f"GitHub does not know the token ({told})", "it may have expired or been revoked: make a new one")
    if status in (403, 451):
        return Forbidden(f"GitHub does not let the token {deed} ({told})", _remedy(headers, words, permission))
    if status in (400, 409, 422) and "/git/refs" in attempt.path and _RULE_WORDS.search(words):
        return _ruled(attempt, told)
    # To whoever may not write, GitHub says that there is nothing to write to.
    if status == 404 and attempt.verb == "POST" and not re.search(r"/\d+(/|$)", attempt.path):
        return Forbidden(f"GitHub does not let the token {deed} ({told})", _grant(permission))
    if status == 404:
        seen = "look at its name, and whether the token may see it: GitHub does not tell a private repository from none"
        return Missing(f"GitHub has no such thing, asked to {deed} ({told})", seen)
    if status == 410:
        return Refused(
            f"GitHub has turned this off here, asked to {deed} ({told})", "turn on Issues in the repository's settings"
        )
    if status >= 500:
        unseen = writes and re.fullmatch(rf"{_HERE}/git/(blobs|trees|commits)", attempt.path)
        return Unavailable(f"GitHub fails ({told})", "run again later" + (": nothing of it is on a branch" if unseen else ""))
    if 300 <= status < 400:
        return ForgeError(
            f"GitHub sends us elsewhere ({told})", "the repository may have been renamed: call it by its name of now"
        )
    return Refused(f"GitHub cannot {deed} ({told})", _refusal(words))


def lost(error: Exception, host: str, seconds: int) -> ForgeError:
    """The error for a request that got no whole answer. Nothing of the exception is told: it may hold what was sent."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        remedy = "for a certificate of your own, name its authority in REQUESTS_CA_BUNDLE"
        return Unavailable(f"the certificate of {host} cannot be verified", remedy)
    if isinstance(error, requests.exceptions.ProxyError):
        return Unavailable(f"the proxy before {host} cannot be used", "look at HTTPS_PROXY and NO_PROXY")
    if isinstance(error, requests.exceptions.Timeout):
        return Unavailable(f"{host} did not answer within {seconds} s", "run again later")
    if isinstance(error, RuntimeError):  # what PyGithub raises for a redirection that it does not follow
        return ForgeError(f"{host} sends us to another address", "name the address that it sends to, if it is one to trust")
    return Unavailable(f"the connection to {host} could not be made, or was cut", "run again later")


def _ruled(attempt: Attempt, told: str) -> Forbidden:
    return Forbidden(f"a rule of the repository does not let the token {attempt.deed[0]} ({told})", _RULE_REMEDY)


def _limit(status: int, headers: Mapping[str, str], words: str, told: str, now: datetime) -> Limited | None:
    """By docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api, in its order."""
    if status not in (403, 429):
        return None
    reason = f"GitHub asks us to wait ({told})"
    if after := headers.get("retry-after", ""):
        return Limited(reason, _until(now, _seconds(after, now)))
    if headers.get("x-ratelimit-remaining", "") == "0":
        reset = _number(headers.get("x-ratelimit-reset", ""))
        return Limited(reason, None if reset is None else _until(now, reset - now.timestamp()))
    if status == 429 or _LIMIT_WORDS.search(words):
        return Limited(reason, _until(now, 60))
    return None


def _until(now: datetime, seconds: float | None) -> datetime | None:
    """The whole minute after so many seconds, as times are told without seconds."""
    if seconds is None:
        return None
    then = now + min(max(timedelta(seconds=min(seconds, 1e9)), timedelta()), LONGEST_WAIT)
    whole = then.replace(second=0, microsecond=0)
    return whole if whole == then else whole + timedelta(minutes=1)


def _seconds(text: str, now: datetime) -> float | None:
    """`Retry-After` in either of its forms (RFC 9110, 10.2.3)."""
    seconds = _number(text)
    if seconds is not None:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp() - now.timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text.strip()) else None


_RULE_REMEDY = (
    "let the rule for branches, in the repository's settings, leave out ours or let the token bypass it, or choose another "
    "`branch_prefix`"
)


def _accepted(header: str, permission: str) -> str:
    """The permission that GitHub itself asks for, where it says so: ours, if that is one of those that would do.

    `pull_requests=write; issues=write,metadata=read` is one of the sets between semicolons (github.blog/changelog/
    2023-08-10-x-accepted-github-permissions-header-for-fine-grained-permission-actors).
    """
    if not re.fullmatch(r"[a-z_]+=[a-z]+([,;] ?[a-z_]+=[a-z]+){0,9}", header):
        return permission
    sets = [", ".join(one.strip().replace("_", "-").replace("=", ": ") for one in each.split(",")) for each in header.split(";")]
    return permission if permission in sets else sets[0]


def _grant(permission: str) -> str:
    scope = "repo" if permission.endswith("write") else "public_repo"
    return f"give it `{permission}`; a classic token needs the scope `{scope}`"


def _remedy(headers: Mapping[str, str], words: str, permission: str) -> str:
    """What helps where GitHub forbids something."""
    lower = words.lower()
    if headers.get("x-github-sso", ""):
        return "the organization has single sign-on: authorize the token for it, under `Configure SSO` in your settings of tokens"
    if "create or approve pull requests" in lower:
        return (
            f"the token may not create pull requests: give it `{permission}`, and in the repository's settings, under Actions, "
            "General, allow GitHub Actions to create and approve pull requests"
        )
    if "archived" in lower:
        return "the repository is archived: leave it alone, or unarchive it"
    if "ip allow list" in lower:
        return "the organization allows only some addresses: run where one of them is yours"
    if "locked" in lower:
        return "the conversation is locked: unlock it, or leave it alone"
    if _RULE_WORDS.search(words):
        return _RULE_REMEDY
    if "by integration" in lower:  # the token of a job or an app
        return f"give the job `{permission}` under `permissions:`, or the app that permission; a fork's job never has it"
    return _grant(permission)


def _refusal(words: str) -> str:
    """What helps where GitHub takes something for impossible."""
    lower = words.lower()
    if "draft pull requests are not supported" in lower:
        return "the plan of this repository has no drafts: ask for none"
    if "already exists" in lower:
        return "somebody was quicker: run again"
    if "no commits between" in lower:
        return "the base has all of it already: run again"
    if "something went wrong" in lower:  # all that GraphQL says of much (octokit/graphql.js#332)
        return "run again later; if that does not help, see whether a rule for branches forbids it"
    return ""
