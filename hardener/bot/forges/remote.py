"""Which forge, and which repository there: by what a person says, a remote's address, or the job. Knows no client and no token.

The hosts that everybody knows are known here; of any other, somebody has to say which kind of forge it is. A host that only an
address in a checkout names was named by nobody: the checkout may be a stranger's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from hardener.errors import UsageError
from hardener.record import NamedTuple

GITHUB, GITLAB, GITEA = "github", "gitlab", "gitea"
#: Names under which people know the kinds; Forgejo is spoken to as Gitea is.
_KINDS = {GITHUB: GITHUB, GITLAB: GITLAB, GITEA: GITEA, "forgejo": GITEA}
_HOSTS = {"github.com": GITHUB, "gitlab.com": GITLAB, "codeberg.org": GITEA, "gitea.com": GITEA}
#: Where ssh is answered on port 443 (docs.github.com, "Using SSH over the HTTPS port"; docs.gitlab.com, "gitlab.com settings").
_SSH_HOSTS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "www.github.com": "github.com"}
#: Its subdomains are GitHub's with data residency, whose API is at api.SUBDOMAIN.ghe.com (docs.github.com, "About GitHub
#: Enterprise Cloud with data residency").
_TENANCY = ".ghe.com"
_HERE = ("localhost", "127.0.0.1", "[::1]")
_URL = re.compile(
    r"([a-z][a-z0-9+.-]*)://(?:[^/?#]*@)?(\[[0-9a-f:.]+\]|[a-z0-9_][a-z0-9_.-]*)(?::([0-9]{1,5}))?(/[^?#\s]*)?", re.IGNORECASE
)
_LIKE_SCP = re.compile(r"(?:[^/@:\s]+@)?([a-z0-9_][a-z0-9_.-]*|\[[0-9a-f:.]+\]):(?!//)([^\s?#]+)", re.IGNORECASE)
_PART = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")


class Server(NamedTuple):
    """Where a forge is."""

    kind: str
    #: In lower case, with a port where it has one of its own.
    host: str
    #: Its page, and its API, without a slash at the end.
    url: str
    api: str


class Place(NamedTuple):
    """A repository at a forge."""

    server: Server
    #: `OWNER/NAME`; on GitLab with groups between.
    repository: str
    #: Whether the job that we run in is this repository's own.
    is_own: bool = False
    #: Whether the person who runs us, or the job, named the host; or it is one that everybody knows.
    is_named: bool = False


class _Address(NamedTuple):
    """An address of a repository, without who would use it."""

    scheme: str
    host: str
    port: str
    path: str


def place_of(repo: str = "", forge: str = "", remote: str = "", environ: Mapping[str, str] | None = None) -> Place:
    """The repository that is meant.

    `repo` is `OWNER/NAME` or a URL; without it, the address of a `remote` says which. `forge` is a kind, the URL of a server, or
    both, as `gitlab=https://example.com/git`. Raises `UsageError` where that does not say which forge, or which repository.
    """
    variables = os.environ if environ is None else environ
    job = _job(variables)
    said_kind, said = _said(forge, job)
    address = _address(repo or remote)
    if address is None and repo:
        server = said or (job if not said_kind or (job and job.kind == said_kind) else None) or _main(said_kind)
        return _place(server, repo, variables, job, is_named=True)
    if address is None:
        raise UsageError("which repository? say --repo OWNER/NAME, or run it in a clone with a remote")
    server, is_named = _server_of(address, said_kind, said, job, of_person=bool(repo))
    path = address.path
    prefix = server.url.partition("://")[2].partition("/")[2]
    if prefix and address.scheme in ("http", "https"):  # over ssh, repositories lie at the root all the same
        inner = f"{path.lstrip('/')}/"
        if not inner.startswith(f"{prefix}/"):
            raise UsageError(f"the repository's address does not begin with {server.url}")
        path = inner[len(prefix) :]
    return _place(server, path, variables, job, is_named=is_named)


def server_at(url: str, kind: str = "") -> Server:
    """The server at a URL, of a kind that is given, or known for its host. Raises `UsageError`."""
    match = _URL.fullmatch(url.rstrip("/"))
    if match is None or match[1].lower() not in ("https", "http"):
        raise UsageError("the address of a forge looks like https://git.example.com")
    scheme, name, port, path = match[1].lower(), match[2].lower(), match[3] or "", (match[4] or "").rstrip("/")
    name = _SSH_HOSTS.get(name, name)
    if scheme == "http" and name not in _HERE:
        raise UsageError(f"a token would be read by anybody on the way to http://{name}: use https://")
    host = name if port in ("", "443" if scheme == "https" else "80") else f"{name}:{port}"
    known = _kind_of(host)
    if kind and known and kind != known:
        raise UsageError(f"{host} is no {kind}")
    kind = kind or known
    if not kind:
        raise UsageError(f"what forge is {host}? say --forge github={scheme}://{host}, gitlab=... or gitea=...")
    top = f"{scheme}://{host}"
    if kind == GITHUB:
        at_root = f"{scheme}://api.{host}" if host == "github.com" or host.endswith(_TENANCY) else f"{top}/api/v3"
        return Server(kind, host, top, at_root)
    return Server(kind, host, top + path, top + path + ("/api/v4" if kind == GITLAB else "/api/v1"))


def _kind_of(host: str) -> str:
    return _HOSTS.get(host) or (GITHUB if host.endswith(_TENANCY) else "")


def _main(kind: str) -> Server:
    if kind == GITEA:
        raise UsageError("which server? say --forge gitea=https://git.example.com")
    return server_at("https://gitlab.com" if kind == GITLAB else "https://github.com")


def _said(forge: str, job: Server | None) -> tuple[str, Server | None]:
    """The kind and the server that a person says."""
    if not forge:
        return "", None
    name, equals, url = forge.partition("=")
    if "://" in name:
        name, url = "", forge
    kind = _KINDS.get(name.lower(), "")
    if name and not kind:
        raise UsageError(f"there is no forge {name[:40]!r}: it is github, gitlab or gitea, or the address of one")
    if not url:
        if equals:
            raise UsageError(f"--forge {kind}= lacks the address of the server")
        return kind, None
    if job is not None and not kind and _same(job.url, url):
        return job.kind, job
    server = server_at(url, kind)
    return server.kind, server


def _same(one: str, other: str) -> bool:
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()


def _server_of(address: _Address, kind: str, said: Server | None, job: Server | None, *, of_person: bool) -> tuple[Server, bool]:
    """The server of an address, and whether somebody vouches for its host."""
    web = address.scheme in ("https", "http")
    host = _SSH_HOSTS.get(address.host, address.host)
    if web and address.port and address.port != ("443" if address.scheme == "https" else "80"):
        host += f":{address.port}"
    for server in (said, job):
        # The port of ssh says nothing about that of the pages.
        if server is not None and (server.host == host or (not web and server.host.partition(":")[0] == host)):
            return server, True
    if said is not None:
        raise UsageError(f"the repository is at {host}, and --forge says {said.host}")
    if not kind and not _kind_of(host):
        raise UsageError(f"what forge is {host}? say --forge github, --forge gitlab or --forge gitea")
    server = server_at(f"{address.scheme if web else 'https'}://{host}", kind)
    return server, of_person or bool(_kind_of(host))


def _address(text: str) -> _Address | None:
    """An address, in any form that git takes; None for `OWNER/NAME`. Raises `UsageError` for what is no address of a forge."""
    if not text:
        return None
    match = _URL.fullmatch(text)
    if match is not None:
        scheme = match[1].lower().removeprefix("git+")
        if scheme not in ("https", "http", "ssh", "git"):
            raise UsageError("the remote is at no forge: its address has to be https:// or ssh://")
        return _Address(scheme, match[2].lower(), match[3] or "", match[4] or "")
    match = _LIKE_SCP.fullmatch(text)
    if match is not None and "::" not in text:
        return _Address("ssh", match[1].lower(), "", match[2])
    if "://" in text or ":" in text or text.startswith(("/", ".", "~")):
        raise UsageError("that is no address of a repository at a forge: say --repo OWNER/NAME or --repo https://HOST/OWNER/NAME")
    return None


def _place(server: Server, path: str, environ: Mapping[str, str], job: Server | None, *, is_named: bool) -> Place:
    parts = [part for part in path.strip("/").split("/") if part]
    if server.kind == GITLAB and "-" in parts:  # what follows is a page of the repository
        parts = parts[: parts.index("-")]
    elif server.kind != GITLAB:
        parts = parts[:2]
    if parts:
        parts[-1] = parts[-1].removesuffix(".git")
    if len(parts) < 2 or not all(_PART.fullmatch(part) and part not in (".", "..") for part in parts):
        raise UsageError("which repository? it is said as OWNER/NAME, or as the address of its page")
    name = "/".join(parts)
    own = environ.get("CI_PROJECT_PATH" if job is not None and job.kind == GITLAB else "GITHUB_REPOSITORY", "")
    is_own = job is not None and job == server and _same(own, name)
    return Place(server, name, is_own, is_named)


def _job(environ: Mapping[str, str]) -> Server | None:
    """The server that the job runs for which we are in; None where we are in none."""
    return next(_jobs(environ), None)


def _jobs(environ: Mapping[str, str]) -> Iterator[Server]:
    # GitLab's jobs have CI_SERVER_URL and CI_API_V4_URL (docs.gitlab.com, "Predefined CI/CD variables"), GitHub's have
    # GITHUB_SERVER_URL and GITHUB_API_URL (docs.github.com, "Variables reference"); Gitea's and Forgejo's have GitHub's names.
    page = environ.get("CI_SERVER_URL", "")
    if environ.get("GITLAB_CI") and page:
        server = server_at(page, GITLAB)
        yield server._replace(api=_api(server, environ.get("CI_API_V4_URL", "")))
    page = environ.get("GITHUB_SERVER_URL", "")
    if page and (environ.get("GITHUB_ACTIONS") or environ.get("GITEA_ACTIONS") or environ.get("FORGEJO_ACTIONS")):
        is_gitea = environ.get("GITEA_ACTIONS") or environ.get("FORGEJO_ACTIONS")
        server = server_at(page, GITEA if is_gitea else GITHUB)
        yield server if is_gitea else server._replace(api=_api(server, environ.get("GITHUB_API_URL", "")))


def _api(server: Server, named: str) -> str:
    """The API that a job names, where it is at the job's server: the token is for that, and would go there."""
    scheme = server.url.partition("://")[0]
    top = "/".join(named.split("/")[:3]).lower()
    return named.rstrip("/") if top in (f"{scheme}://{server.host}", f"{scheme}://api.{server.host}") else server.api
