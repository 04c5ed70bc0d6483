"""The build is told not to verify signatures or certificates of what it downloads.

Attack: Whoever is on the way between the build and the server, or has taken over a mirror, answers with a package of their
own, and nothing notices. Their code then runs in the build, mostly as root, and is in every image that is made of it.

Background: Package managers check that a package was signed by its distribution, and curl, git, pip and npm that the server
is the one that was asked for. Set in ENV, the switch holds for the program in the container as well, and for whatever it
sends.

What may break: With the check on, the build stops again where it did when the line was written: the repository's key is
missing, the company's proxy has a certificate that nobody trusts, or the base image is too old to know today's authorities.

What we do: No edit is offered: the line is there because the check failed once, and why is not in the file. The ways out
differ, and each finding names its own: the repository's key, the certificate authority of the company's proxy, a newer base
image.

Left alone: Where the same RUN verifies a checksum or a signature itself, addresses of the machine itself, local
repositories (`[trusted=yes] file:`), `apk add --allow-untrusted` of files that the RUN does not download, and
`repo_gpgcheck=0`, which leaves the packages' own signatures in force.

Example: rpm-and-apk
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hardener.facts.dockerfile import DockerStage, Script
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds
from hardener.rules._scripts import FETCHERS, and_lines, by_first, is_local, name_of, unwrapped, verifies
from hardener.syntax.dockerfile import Instruction

ID = "package-signature-disabled"

#: A RUN without any of these has none of the hazard.
_WORDS = (
    *("--allow-un", "--allow-insecure", "--force-yes", "AllowUn", "AllowInsecure", "trusted=yes", "trusted-host", "TRUSTED_HOST"),
    *("gpgcheck", "gpg-check", "--nosignature", "SigLevel", "strict-ssl", "trict_ssl", "STRICT_SSL", "trictSsl", "sslverify"),
    *("sslVerify", "SSLVERIFY", "SSL_NO_VERIFY", "TLS_REJECT", "HTTPSVERIFY", "--insecure", "no-check-cert"),
)
_CURL_K = r"\s-[A-Za-z]*k[A-Za-z]*\s"
_KEY = "install the repository's key and name it with signed-by"
_AUTHORITY = "install the certificate authority that signed it (ca-certificates), instead of trusting everyone"
_ADVICE = {
    "[trusted=yes]": _KEY,
    "gpgcheck=0": "set gpgcheck=1 and name the repository's key with gpgkey",
    "SigLevel = Never": "import the repository's key with pacman-key",
    "apt": f"remove it and {_KEY}",
    "apk": "copy the repository's key into /etc/apk/keys",
    "rpm": "import the repository's key with `rpm --import`, or name it with gpgkey",
    "tls": _AUTHORITY,
    "curl": f"{_AUTHORITY}, or verify what was downloaded with `sha256sum -c`",
}
_APT = frozenset(("--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"))
_RPM = frozenset(("--nogpgcheck", "--no-gpg-checks", "--no-gpgcheck", "--no-gpg-check"))
#: Variables that switch verification off, with the values that do.
_VARIABLES = {
    "NODE_TLS_REJECT_UNAUTHORIZED": ("0",),
    "PYTHONHTTPSVERIFY": ("0",),
    "GIT_SSL_NO_VERIFY": ("1", "true", "yes", "on"),
    "NPM_CONFIG_STRICT_SSL": ("false", "0"),
    "YARN_ENABLE_STRICT_SSL": ("false", "0"),
    "PIP_TRUSTED_HOST": (),
}
_NO = frozenset(("0", "false", "no", "off"))
_CURL_VALUED = frozenset("AbcCdDeEFhHKmoPQrtTuUwxXyYz")


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage that switches the verification of downloads off."""
    found: dict[tuple[str, str], list[Instruction]] = {}
    text = stage.dockerfile.text
    words = (*_WORDS, "curl") if "curl" in text and re.search(_CURL_K, text) else _WORDS
    for script in stage.scripts(*words):
        checked: bool | None = None
        for what in switched_off(script):
            if checked is None:
                checked = verifies(script)
            if not checked:
                found.setdefault(what, []).append(script.item)
    for item in stage.own("ENV", "ARG", "RUN", "COPY", "ADD"):
        if item.keyword == "ENV":
            pairs: Iterator[tuple[str, str]] = zip(item.values[::2], item.values[1::2], strict=True)
        elif item.keyword == "ARG":
            pairs = ((name, value) for name, equals, value in (word.partition("=") for word in item.values) if equals)
        else:
            for document in item.heredocs:
                for text in _in_text(document.content):
                    found.setdefault((text, text), []).append(item)
            continue
        for name, value in pairs:
            if _switches_off(name, value):
                scope = " for the build and the container" if item.keyword == "ENV" else ""
                found.setdefault((f"{name}={_shown(name, value)}{scope}", "tls"), []).append(item)
    for item, switches in by_first(found).items():
        yield Finding(
            ID,
            stage.subject,
            stage.place(item),
            f"does not verify what it downloads: {and_lines({what: found[what, kind] for what, kind in switches})}",
            advice="; ".join(dict.fromkeys(_ADVICE[kind] for _, kind in switches)),
            key=f"{stage.key} {', '.join(what for what, _ in switches)}",
        )


def switched_off(script: Script) -> Iterator[tuple[str, str]]:
    """What a script switches verification off with, and the kind of advice for it."""
    downloads = any(command.name in FETCHERS for command in script.commands)
    for command in script.commands:
        words = unwrapped(command.words)
        name = name_of(words)
        arguments = [word.text for word in words[1:]]
        if name in ("export", "env") or not name:
            assigned: Sequence[str] = [*arguments, *(word.text for word in command.assignments)]
        else:
            assigned = [word.text for word in command.assignments] if command.assignments else ()
        for word in assigned:
            variable, equals, value = word.partition("=")
            if equals and _switches_off(variable, value):
                yield f"{variable}={_shown(variable, value)}", "tls"
        yield from _by_command(name, arguments, downloads)


def _by_command(name: str, arguments: list[str], downloads: bool) -> Iterator[tuple[str, str]]:
    if name in ("apt-get", "apt", "aptitude"):
        option = next((word for word in arguments if word in _APT or _is_apt_setting(word)), "")
        if option:
            yield f"{name} {option}", "apt"
    elif name == "apk":
        if "--allow-untrusted" in arguments and (downloads or not _only_files(arguments)):
            yield "apk --allow-untrusted", "apk"
    elif name in ("yum", "dnf", "microdnf", "tdnf", "zypper", "yum-config-manager", "rpm"):
        option = next((word for word in arguments if word in _RPM or _is_unsigned(word)), "")
        option = option or ("--nosignature" if name == "rpm" and "--nosignature" in arguments else "")
        if option:
            yield f"{name} {option}", "rpm"
    elif name in ("curl", "wget"):
        if _any_server(name, arguments) and not any(is_local(word) for word in arguments if "://" in word):
            yield f"{name} {'-k' if name == 'curl' else '--no-check-certificate'}", "curl"
    elif name == "git":
        at = next(
            (at for at, word in enumerate(arguments) if word.lower().startswith("http.") and ".sslverify" in word.lower()), -1
        )
        if at >= 0 and (arguments[at].partition("=")[2] or next(iter(arguments[at + 1 :]), "")).lower() in _NO:
            yield "git http.sslVerify false", "tls"
    elif name.startswith(("pip", "python")):
        if ("pip" in name or "pip" in arguments) and any(
            word.startswith("--trusted-host") or word.endswith(".trusted-host") for word in arguments
        ):
            yield "pip --trusted-host", "tls"
    elif name in ("npm", "yarn", "pnpm", "npx"):
        if _lax(arguments):
            yield f"{name} strict-ssl false", "tls"
    elif name in ("echo", "printf", "sed", "cat", "tee"):
        for text in arguments:
            yield from ((what, what) for what in _in_text(text))


def _in_text(text: str) -> Iterator[str]:
    """What a piece of a package manager's configuration switches off."""
    if "trusted=yes" in text and re.search(r"\[[^]]*\btrusted=yes[^]]*\]\s*(?!file:|copy:)\S", text):
        yield "[trusted=yes]"
    if "gpgcheck" in text and _is_unsigned(text):
        yield "gpgcheck=0"
    if "SigLevel" in text and re.search(r"(?<!\w)SigLevel\s*=\s*Never", text):
        yield "SigLevel = Never"


def _is_unsigned(text: str) -> bool:
    """Whether packages' signatures are not asked for; what `sed` replaces is not what it writes."""
    match = re.search(r"(?<![a-z_])gpgcheck\s*=\s*(?:0|no|false)\b(?!.*gpgcheck\s*=\s*1)", text, re.IGNORECASE | re.DOTALL)
    return match is not None


def _is_apt_setting(word: str) -> bool:
    setting, equals, value = word.rpartition("::")[2].partition("=")
    return (
        bool(equals)
        and setting in ("AllowUnauthenticated", "AllowInsecureRepositories")
        and value.strip('"') in ("true", "1", "yes")
    )


def _only_files(arguments: list[str]) -> bool:
    packages = [word for word in arguments if not word.startswith("-") and word != "add"]
    return (
        bool(packages)
        and all("/" in word or word.endswith(".apk") for word in packages)
        and not any("://" in w for w in packages)
    )


def _any_server(name: str, arguments: list[str]) -> bool:
    if name == "wget":
        return "--no-check-certificate" in arguments
    rest = iter(arguments)
    for word in rest:
        if word == "--insecure":
            return True
        if word.startswith("-") and not word.startswith("--"):
            for at, letter in enumerate(word[1:], 2):
                if letter == "k":
                    return True
                if letter in _CURL_VALUED:
                    if at == len(word):
                        next(rest, None)
                    break
    return False


def _lax(arguments: list[str]) -> bool:
    for at, word in enumerate(arguments):
        option, equals, value = word.lstrip("-").partition("=")
        if option in ("strict-ssl", "strictSsl", "enableStrictSsl"):
            return (value if equals else next(iter(arguments[at + 1 :]), "")).lower() in _NO
    return "--no-strict-ssl" in arguments


def _switches_off(name: str, value: str) -> bool:
    values = _VARIABLES.get(name.upper())
    value = value.strip("'\"")
    return values is not None and bool(value) and (not values or value.lower() in values)


def _shown(name: str, value: str) -> str:
    # Only what was compared is shown; a host may have a credential beside it.
    return value.strip("'\"") if _VARIABLES[name.upper()] else "..."


RULE = Rule(
    id=ID,
    title="Downloads are not verified",
    severity=Severity.MEDIUM,
    cites=("CIS Docker 4.11", "OWASP Docker 13"),
    stage=check,
    why="anyone between the build and the server can put code into the image",
)
