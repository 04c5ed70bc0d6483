"""Whether a variable's text is a secret: by its form, or by a name that says so and a value that could be one.

Knows no file format. It answers with what it is, never with the text itself, and would rather miss one than accuse a
harmless value: texts that ask to be replaced (`your-key-here`), paths, flags, references and variables are none.
"""

from __future__ import annotations

from functools import lru_cache

#: Longer texts are judged by their beginning.
_LONGEST = 8192
#: Stands for a variable without a default in a text.
_UNKNOWN = "\0"

#: Forms that are secrets whatever the name: how they begin, and how long they are at least.
_FORMS = (
    ("-----BEGIN", 40, "private key"),
    ("AGE-SECRET-KEY-1", 50, "private key"),
    ("AKIA", 20, "AWS access key"),
    ("ghp_", 40, "GitHub token"),
    ("gho_", 40, "GitHub token"),
    ("ghu_", 40, "GitHub token"),
    ("ghs_", 40, "GitHub token"),
    ("ghr_", 40, "GitHub token"),
    ("github_pat_", 50, "GitHub token"),
    ("glpat-", 26, "GitLab token"),
    ("glrt-", 25, "GitLab runner token"),
    ("sk_live_", 24, "Stripe key"),
    ("rk_live_", 24, "Stripe key"),
    ("xoxb-", 24, "Slack token"),
    ("xoxp-", 24, "Slack token"),
    ("xoxa-", 24, "Slack token"),
    ("xoxs-", 24, "Slack token"),
    ("xapp-", 24, "Slack token"),
    ("sk-ant-", 40, "Anthropic key"),
    ("sk-proj-", 40, "OpenAI key"),
    ("hf_", 34, "Hugging Face token"),
    ("npm_", 40, "npm token"),
    ("pypi-AgE", 60, "PyPI token"),
    ("dckr_pat_", 30, "Docker Hub token"),
    ("dop_v1_", 60, "DigitalOcean token"),
    ("SG.", 60, "SendGrid key"),
    ("hvs.", 24, "Vault token"),
    ("shpat_", 38, "Shopify token"),
    ("tskey-", 24, "Tailscale key"),
    ("https://hooks.slack.com/services/", 60, "Slack webhook"),
    ("https://discord.com/api/webhooks/", 60, "Discord webhook"),
)
_FIRST_LETTERS = frozenset(beginning[0] for beginning, _, _ in _FORMS)

#: Last words of a name that say what the value is: anything may be a password, a token is long.
_PASSWORDS = frozenset("PASSWORD PASSWD PASSWRD PASS PWD PASSPHRASE PW".split())
_PASSWORD_ENDS = ("PASSWORD", "PASSWD", "PASSPHRASE")
#: What stands before PASS without a `_`; BYPASS and COMPASS are other words.
_BEFORE_PASS = frozenset("DB SMTP MYSQL PG SQL ROOT ADMIN USER REDIS MAIL EMAIL FTP LDAP IMAP".split())
_TOKENS = frozenset("TOKEN APIKEY APITOKEN AUTHTOKEN ACCESSTOKEN BOTTOKEN AUTHKEY".split())
_SECRETS = frozenset("SECRET SECRETKEY CLIENTSECRET APPSECRET JWTSECRET ENCRYPTIONKEY PRIVATEKEY MASTERKEY".split())
#: What makes the KEY after it a secret that its owner makes up, or one that a service hands out.
_SECRET_KEYS = frozenset("SECRET ENCRYPTION ENCRYPT PRIVATE MASTER SIGNING JWT HMAC CRYPTO CIPHER".split())
_TOKEN_KEYS = frozenset("API AUTH SERVICE ROLE ADMIN WEBHOOK".split())
#: Before TOKEN: one that its owner makes up, so that a short one works too.
_OWN_TOKENS = frozenset("ADMIN ROOT MASTER".split())
#: Words that make a name that of a switch, or of something that everybody may see.
_NO_SECRET = frozenset(
    "PUBLIC PUBLISHABLE ALLOW RANDOM DISABLE DISABLED ENABLE ENABLED REQUIRE REQUIRED USE SHOW HIDE MIN MAX PULL TLS RESET "
    "FORGOT NO WITHOUT IS HAS SKIP VITE SITE MAPBOX CSRF CHANGE VALIDATE CHECK GENERATE PUBLICKEY ANON".split()
)
#: Names that the words do not tell.
_EXACT = {
    "PWD": "",
    "OLDPWD": "",
    "ETCD_INITIAL_CLUSTER_TOKEN": "",  # tells clusters apart
    "APP_KEY": "secret",
    "VAULT_DEV_ROOT_TOKEN_ID": "own token",
    "NEO4J_AUTH": "user and password",
}
_SHORTEST = {"password": 3, "secret": 6, "own token": 3, "token": 16}

#: Values that say how, not what.
_WORDS = frozenset(
    "true false yes no on off none null nil undefined empty unset enabled disabled optional required trust auto random generate "
    "prompt basic bearer jwt oidc oauth2 ldap md5 bcrypt plain plaintext scram-sha-256 0 1".split()
)
#: Parts of a text that asks to be replaced. `changeme` is not among them: left alone, it works, and is tried first.
_ASKING = ("your", "xxx", "<", "***", "...", "todo", "fixme", "replace", "insert", "placeholder", "dummy", "fake", "redacted")
_ASKING_ENDS = ("_here", "-here", "here>")
_ASKING_BEGINS = ("enter_", "enter-", "put_", "put-", "fill_", "fill-", "paste_", "set_me", "set-me", "(", "[")
#: Parts that make a token or key an invented one: it opens nothing.
_INVENTED = ("example", "test", "sample", "demo", "not-needed", "not_needed", "notneeded", "unused", "changeme", "change_me")
#: Beginnings of something that is somewhere else.
_REFERENCES = ("file:", "env:", "vault:", "arn:", "op://", "secret:", "ssm:", "sm://", "$(", "`", "{{", "%", "ENC[", "@")
_PATHS = ("./", "../", "~/", ".\\", "C:\\")
_FILE_ENDS = (".key", ".pem", ".json", ".crt", ".cer", ".txt", ".env", ".yml", ".yaml", ".p12", ".pfx", ".jks", ".pub", ".secret")
#: Azurite's account, whose key is public.
_PUBLIC_ACCOUNT = "devstoreaccount1"


def secret(name: str, value: str) -> str:
    """What secret the value of a variable is, such as "a GitHub token" or "a default password"; "" for none.

    `value` is the text as it is written: `${X}` is no secret, the default in `${X:-hunter2}` may be one.
    """
    text = value.strip() if len(value) <= _LONGEST else value[:_LONGEST].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    is_default = False
    if "$" in text:
        text, is_default = _with_defaults(text)
    if len(text) < 3 or text == _UNKNOWN:
        return ""
    kind = _by_form(text) or _by_connection(text) or _by_name(name, text)
    if not kind:
        return ""
    kind = f"default {kind}" if is_default else kind
    return f"an {kind}" if kind[0] in "AO" else f"a {kind}"


def _with_defaults(text: str) -> tuple[str, bool]:
    """A text with the defaults of its variables put in, and whether there were any; other variables are unknown."""
    is_default = False
    text = text.replace("$$", "\1")
    for _ in range(16):  # from the inside out; deeper ones stay, and make it no secret
        start = text.rfind("${")
        if start == -1:
            break
        end = text.find("}", start)
        if end == -1:
            break
        inside = text[start + 2 : end]
        length = 0
        while length < len(inside) and (inside[length].isalnum() or inside[length] == "_"):
            length += 1
        sign = inside[length:]
        default = sign[2:] if sign.startswith(":-") else sign[1:] if sign.startswith("-") else ""
        is_default = is_default or (bool(default) and _UNKNOWN not in default)
        text = text[:start] + (default or _UNKNOWN) + text[end + 1 :]
    at = text.find("$")
    while at != -1:
        end = at + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        name = text[at + 1 : end]
        if name and (name[0].isalpha() or name[0] == "_"):
            text = text[:at] + _UNKNOWN + text[end:]
            at = text.find("$", at)
        else:
            at = text.find("$", at + 1)
    return text.replace("\1", "$").strip(), is_default


def _by_form(text: str) -> str:
    if text[0] not in _FIRST_LETTERS:
        return ""
    for beginning, shortest, kind in _FORMS:
        if text.startswith(beginning) and len(text) >= shortest:
            if beginning == "-----BEGIN":
                return kind if "PRIVATE KEY" in text[:64] and not _asks(text) else ""
            rest = text[len(beginning) :]
            if beginning == "AKIA" and not (len(text) == 20 and rest.isalnum() and rest.isupper()):
                return ""
            good = _UNKNOWN not in text and " " not in text and len(set(rest)) > 6
            return kind if good and not _asks(text) and "example" not in text.lower() else ""
    return ""


def _by_connection(text: str) -> str:
    """A password in a URL or in a connection string."""
    scheme = text.find("://")
    if scheme > 0:
        end = len(text)
        for stop in "/?# ":
            at = text.find(stop, scheme + 3)
            end = min(end, at) if at != -1 else end
        user, at_sign, _ = text[scheme + 3 : end].rpartition("@")
        password = user.partition(":")[2] if at_sign else ""
        if password and _is_value(password) and not _asks(password):
            return "password in a URL"
    if "=" in text and (";" in text or "?" in text or "&" in text):
        lower = text.lower()
        if _PUBLIC_ACCOUNT in lower:
            return ""
        for key in ("password=", "pwd=", "accountkey=", "sharedaccesskey="):
            at = lower.find(key)
            if at > 0 and lower[at - 1] in ";?& ":
                at += len(key)
                stops = [stop for stop in (text.find(sign, at) for sign in ";&") if stop != -1]
                found = text[at : min(stops, default=len(text))].strip()
                if _is_value(found) and not _asks(found):
                    return "password in a connection string"
    return ""


def _by_name(name: str, text: str) -> str:
    kind = _kind(name)
    if not kind:
        return ""
    if kind == "user and password":
        _, slash, text = text.partition("/")
        return "password" if slash and _is_value(text) and not _asks(text) else ""
    if len(text) < _SHORTEST[kind] or not _is_value(text) or _asks(text) or _says_its_name(text, name):
        return ""
    if kind in ("password", "secret"):
        return kind
    if kind == "own token":
        return "token"
    lower = text.lower()
    mixed = any(sign.isdigit() for sign in text) and any(sign.isalpha() for sign in text)
    return kind if mixed and not any(part in lower for part in _INVENTED) else ""


@lru_cache(maxsize=4096)
def _kind(name: str) -> str:
    """What a variable of this name holds: "password", "secret", "token" (one that a service hands out), "own token", or ""."""
    if name in _EXACT:
        return _EXACT[name]
    words = _words(name[:256])
    while words and (words[-1] in ("VALUE", "DEFAULT") or (words[-1] == "BASE" and words[-2:-1] == ["KEY"])):
        words.pop()
    if not words or not _NO_SECRET.isdisjoint(words):
        return ""
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in _PASSWORDS or last.endswith(_PASSWORD_ENDS) or (last.endswith("PASS") and last[:-4] in _BEFORE_PASS):
        return "password"
    if last in ("KEY", "KEYS"):
        if before in _SECRET_KEYS or (before == "ACCESS" and "SECRET" in words):
            return "secret"
        return "token" if before in _TOKEN_KEYS else ""
    if last in _SECRETS:
        return "secret"
    if last == "TOKEN" and before in _OWN_TOKENS:
        return "own token"
    return "token" if last in _TOKENS else ""


def _words(name: str) -> list[str]:
    """The words of a name in capitals: `db.rootPassword_2` is DB, ROOT, PASSWORD."""
    parts: list[str] = []
    for part in name.replace("-", "_").replace(".", "_").split("_"):
        if not part.isupper():
            start = 0
            for at in range(1, len(part)):
                if part[at].isupper() and part[at - 1].islower():
                    parts.append(part[start:at])
                    start = at
            part = part[start:]
        parts.append(part)
    return [word for word in (part.rstrip("0123456789").upper() for part in parts) if word]


def _is_value(text: str) -> bool:
    """Whether a text could be a secret itself: no flag, path, reference, sentence or variable."""
    if len(text) < 3 or _UNKNOWN in text or "://" in text or text.lower() in _WORDS or any(sign.isspace() for sign in text):
        return False
    if text.startswith(_REFERENCES) or text.startswith(_PATHS) or text.lower().endswith(_FILE_ENDS):
        return False
    # Base64 may begin with a slash, and is long and without a dot.
    return not text.startswith("/") or (len(text) >= 40 and "." not in text and text.count("/") < 4)


def _asks(text: str) -> bool:
    """Whether a text asks to be replaced."""
    lower = text.lower()
    if any(part in lower for part in _ASKING) or lower.endswith(_ASKING_ENDS) or lower.startswith(_ASKING_BEGINS):
        return True
    return len(set(lower.strip("-_"))) < 2  # `****`, `xx`, `0000`


def _says_its_name(text: str, name: str) -> bool:
    """`API_KEY=api_key`, `API_KEY=my-api-key`: stands for the value. A password may well be `password`."""
    if _kind(name) == "password":
        return False
    said = text.lower().replace("-", "_").removeprefix("my_").removeprefix("some_").removeprefix("a_").removeprefix("the_")
    return "_" in said and name.lower().endswith(said)
