"""Which files hold keys or credentials, by their names and, where they can be read, by what they say. Knows no rule."""

from __future__ import annotations

from collections.abc import Callable

from hardener.rules._secrets import secret

_SSH_KEYS = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")
_NAMES = {
    ".netrc": "passwords (.netrc)",
    "_netrc": "passwords (.netrc)",
    ".git-credentials": "Git credentials",
    ".pgpass": "database passwords (.pgpass)",
    ".pypirc": "PyPI credentials",
    ".vault-token": "a Vault token",
    ".dockercfg": "registry credentials",
    ".s3cfg": "S3 credentials",
    ".boto": "cloud credentials",
    ".aws": "AWS credentials",
    ".ssh": "SSH keys",
    ".gnupg": "GnuPG keys",
    "kubeconfig": "cluster credentials",
    "credentials.json": "credentials",
    "service-account.json": "a service account's key",
    "service_account.json": "a service account's key",
    "serviceaccount.json": "a service account's key",
}
_PATHS = {
    ".aws/credentials": "AWS credentials",
    ".docker/config.json": "registry credentials",
    ".kube/config": "cluster credentials",
    ".config/gcloud": "cloud credentials",
}
#: Parts of a `.key` that everybody may have: packages are verified with it.
_PUBLIC = ("pub", "gpg", "pgp", "sign", "asc", "repo", "release", "archive", "apt", "keyring", "rpm", "linux", "cert")
_KEYRINGS = ("/etc/apt/", "/etc/apk/", "/etc/pki/", "/usr/share/keyrings/", "/usr/share/postgresql-common/")
#: Files that hold credentials only sometimes: silent without having read them.
_READ_ONLY = (".npmrc", ".yarnrc", ".yarnrc.yml", "pip.conf", "nuget.config")


def credentials(path: str, to: str, read: Callable[[str], str | None]) -> str:
    """What a file is that is copied to `to`: "a private key", "credentials"...; empty for any other file.

    `read` gives a file's text, or None.
    """
    path = path.strip("'\"").rstrip("/")
    lower = path.lower()
    name = lower.rpartition("/")[2]
    stem, _, ending = name.rpartition(".")
    if name in _READ_ONLY:
        return "a registry's token" if _has_token(read(path) or "") else ""
    if name == ".env" or (name.startswith(".env.") and ending in ("local", "prod", "production")):
        text = read(path)
        if text is None:
            return "secrets (.env)" if name == ".env" else ""
        return "secrets (.env)" if any(map(_is_secret_line, text.splitlines())) else ""
    for end, what in _PATHS.items():
        if lower.endswith(end) or to.lower().rstrip("/").endswith(end):
            return what
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith(_SSH_KEYS) and ending != "pub":
        return "an SSH key"
    if ending in ("p12", "pfx", "ppk", "kdbx"):
        return "a key store"
    is_key = (ending == "pem" and ("key" in stem or "priv" in stem) and "pub" not in stem) or (
        ending == "key" and not any(part in stem for part in _PUBLIC) and not to.startswith(_KEYRINGS)
    )
    if is_key:
        text = read(path)
        return "a private key" if text is None or "PRIVATE KEY" in text or "BEGIN" not in text else ""
    return ""


def _has_token(text: str) -> bool:
    for line in text.splitlines():
        key, _, value = line.replace(": ", "=").partition("=")
        value = value.strip()
        if key.strip().endswith(("_authToken", "_auth", "_password", "npmAuthToken", "ClearTextPassword")):
            if value and "$" not in value:
                return True
        elif secret(key.strip(), value):
            return True
    return False


def _is_secret_line(line: str) -> bool:
    name, equals, value = line.removeprefix("export ").partition("=")
    return bool(equals) and not name.lstrip().startswith("#") and bool(secret(name.strip(), value.strip()))
