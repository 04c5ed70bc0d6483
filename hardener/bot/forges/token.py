"""The token for a forge: from the environment, or from what the forge's own command keeps. Knows for which host each one is.

A token goes to the host that it is for and to no other: a checkout whose remote leads elsewhere gets none. It is never shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping

from hardener.bot.forges.remote import GITEA, GITHUB, GITLAB, Place, server_at
from hardener.errors import UsageError

#: The variable of GitLab with the token of a job, which is sent in another way than others.
JOB_TOKEN = "CI_JOB_TOKEN"
#: Seconds that the forge's own command has.
_PATIENCE = 10.0
_LONGEST = 8_192
#: What these commands would take in place of what they keep, for whatever host it is.
_ELSEWHERE = frozenset(
    "HARDEN_TOKEN GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN GITLAB_TOKEN GITLAB_ACCESS_TOKEN OAUTH_TOKEN "
    "CI_JOB_TOKEN GITEA_TOKEN GITEA_SERVER_TOKEN FORGEJO_TOKEN GH_HOST GH_DEBUG DEBUG".split()
)
_HINTS = {
    GITHUB: "set GITHUB_TOKEN, or run `gh auth login`",
    GITLAB: "set GITLAB_TOKEN, or run `glab auth login`",
    GITEA: "set GITEA_TOKEN, or run `tea login add`",
}


class Token:
    """A token, which nothing that prints values prints."""

    __slots__ = ("_value", "host", "source")

    def __init__(self, value: str, host: str, source: str) -> None:
        self._value = value
        #: The host that it is for.
        self.host = host
        #: Where it comes from: the name of a variable, or a command.
        self.source = source

    def value(self) -> str:
        """The token itself, for whoever sends it."""
        return self._value

    def __repr__(self) -> str:
        return f"<token for {self.host} from {self.source}>"

    def __reduce__(self) -> str:
        raise TypeError("a token is not written anywhere")

    def header(self, kind: str) -> str:
        """The line of HTTP that authorizes git with it at a forge of a kind."""
        from base64 import b64encode

        # docs.github.com, "Authenticating as a GitHub App installation"; docs.gitlab.com, "Personal access tokens" and "CI/CD job
        # token"; Gitea takes any name (go-gitea/gitea services/auth/basic.go).
        user = "x-access-token" if kind == GITHUB else "gitlab-ci-token" if self.source == JOB_TOKEN else "oauth2"
        return f"Authorization: Basic {b64encode(f'{user}:{self._value}'.encode()).decode('ascii')}"


def token_for(place: Place, environ: Mapping[str, str] | None = None) -> Token:
    """The token for the host of a place. Raises `UsageError` where there is none, with what to do."""
    variables = os.environ if environ is None else environ
    host, kind = place.server.host, place.server.kind
    if not (place.server.url.startswith("https://") or host.partition(":")[0].strip("[") in ("localhost", "127.0.0.1", "")):
        raise UsageError(f"a token would be read by anybody on the way to {host}: use https://")
    #: Those that hold a token which would be for this host, had a person named it.
    others: list[str] = []
    if_named = dict(_variables(place._replace(is_named=True), variables))
    for name, is_for in _variables(place, variables):
        value = variables.get(name, "").strip()
        if value and is_for:
            return _token(value, host, name)
        others += [name] if value and if_named[name] else []
    for source, value in _kept(kind, host, variables):
        if value:
            return _token(value, host, source)
    if others:
        named = f"--forge {kind}={place.server.url}"
        raise UsageError(f"there is no token for {host}, and {others[0]} may be for another host: say it with {named}")
    enterprise = f"set GH_ENTERPRISE_TOKEN, or run `gh auth login --hostname {host}`"
    hint = enterprise if kind == GITHUB and not _is_public(host) else _HINTS[kind]
    raise UsageError(f"there is no token for {host}: {hint}")


def _token(value: str, host: str, source: str) -> Token:
    if len(value) > _LONGEST or not value.isascii() or not value.isprintable() or " " in value:
        raise UsageError(f"what {source} says is no token")
    return Token(value, host, source)


def _variables(place: Place, environ: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """The variables that may hold the token, in the order in which they count, and whether each is for this host."""
    server = place.server
    host, kind = server.host, server.kind
    job = _host(environ.get("GITHUB_SERVER_URL", "")) if environ.get("GITHUB_ACTIONS") or environ.get("GITEA_ACTIONS") else ""
    yield "HARDEN_TOKEN", _is_at("HARDEN_HOST", host, environ, otherwise=place.is_named)
    if kind == GITHUB:
        # As `gh` has them (cli.github.com/manual/gh_help_environment); a job's own token is only for the job's server.
        is_public = _is_public(host)
        yield "GH_TOKEN", is_public or host == job
        yield "GITHUB_TOKEN", host == job if job else is_public
        for name in ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"):
            yield name, not is_public and _is_at("GH_HOST", host, environ, otherwise=place.is_named)
    elif kind == GITLAB:
        yield "GITLAB_TOKEN", _is_at("GITLAB_HOST", host, environ, otherwise=place.is_named)
        yield JOB_TOKEN, bool(environ.get("GITLAB_CI")) and host == _host(environ.get("CI_SERVER_URL", ""))
    else:
        for name in ("GITEA_TOKEN", "FORGEJO_TOKEN"):
            yield name, _is_at("GITEA_SERVER_URL", host, environ, otherwise=place.is_named)
        yield "GITHUB_TOKEN", bool(job) and host == job


def _is_public(host: str) -> bool:
    """Whether GitHub runs this host itself."""
    return host == "github.com" or host.endswith(".ghe.com")


def _is_at(name: str, host: str, environ: Mapping[str, str], *, otherwise: bool) -> bool:
    """Whether a variable names this host; where it names none, what holds then."""
    named = environ.get(name, "").strip()
    return _host(named) == host if named else otherwise


def _host(text: str) -> str:
    """The host in a variable, which may be a URL; empty for what is none."""
    try:
        return server_at(text if "://" in text else f"https://{text}", GITEA).host if text else ""
    except UsageError:  # a host of another kind is known
        try:
            return server_at(text if "://" in text else f"https://{text}").host
        except UsageError:
            return ""


def _kept(kind: str, host: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What the commands of a forge keep for a host."""
    if kind == GITHUB:
        yield "gh", _asked(("gh", "auth", "token", "--hostname", host), environ).strip()
    elif kind == GITLAB:
        yield "glab", _asked(("glab", "config", "get", "token", "--host", host), environ).strip()
    else:
        # tea speaks as a helper of git's does (gitea.com/gitea/tea, cmd/login/helper.go).
        said = _asked(("tea", "login", "helper", "get"), environ, f"protocol=https\nhost={host}\n\n")
        yield "tea", next((line[9:].strip() for line in said.splitlines() if line.startswith("password=")), "")
        yield "fj", _of_forgejo_cli(host, environ)


def _asked(words: tuple[str, ...], environ: Mapping[str, str], said: str = "") -> str:
    """What a command prints; nothing where it is not there or does not know."""
    import shutil
    import subprocess

    program = shutil.which(words[0], path=environ.get("PATH", ""))
    if program is None or not os.path.isabs(program):
        return ""
    try:
        done = subprocess.run(
            (program, *words[1:]),
            input=said.encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            env={name: value for name, value in environ.items() if name not in _ELSEWHERE},
            cwd=os.path.abspath(os.sep),  # in a checkout, they would read its configuration
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout[: 2 * _LONGEST].decode("utf-8", "replace") if not done.returncode else ""


def _of_forgejo_cli(host: str, environ: Mapping[str, str]) -> str:
    """The token that Forgejo's command keeps for a host, which it cannot be asked for (forgejo-cli, src/keys.rs)."""
    from json import loads

    home = environ.get("HOME", "")
    apple = os.path.join(home, "Library", "Application Support", "Cyborus.forgejo-cli")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    path = os.path.join(apple if sys.platform == "darwin" else os.path.join(data, "forgejo-cli"), "keys.json")
    if not os.path.isabs(path) or not os.path.isfile(path):
        return ""
    try:
        with open(path, "rb") as file:
            login = loads(file.read(1 << 20))["hosts"][host]
        return str(login["token"]) if login["type"] == "Application" else ""  # of the others, it renews them
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""
