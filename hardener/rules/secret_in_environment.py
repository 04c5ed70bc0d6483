"""A secret stands in the file that asks for the container.

Attack: Whoever sees the file reads the secret: everybody with the repository, its history, a backup or a screenshot, and
whoever may inspect the container. They then log in with it wherever it is valid, and need not break into anything.

Background: In the container it is in the environment of every process, shown to whoever may inspect it, and often in crash
reports. A default as in `${PASSWORD:-admin}` counts: all that set nothing run with it, and attackers try it first.

What may break: As a file, the secret is found only by programs that read files, mostly by a variable that ends in `_FILE`;
Compose keeps the owner and mode that the file has on the host, so that a user of the container may not be able to read it.
A password that is changed here is not changed in a database that was set up with the old one.

What we do: No edit is offered: the value has to go somewhere that the tool does not know, and one that was published has to
be changed besides. A secret is told by its form (private keys, tokens of well-known services, passwords in URLs) or by a
name that says so with a value that could be one. The value itself is never shown.

Left alone: `${VARIABLES}`, `..._FILE`, texts that ask to be replaced, and flags and paths.

Example: normal
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.container import Container
from hardener.finding import Finding, Rule, Severity
from hardener.needs.needs import Needs
from hardener.rules._secrets import secret

ID = "secret-in-environment"
_SHOWN = 5
#: Official images whose entrypoint reads NAME_FILE, and for which variables (their docker-entrypoint.sh).
_READS_FILES = {
    "postgres": ("POSTGRES_",),
    "mysql": ("MYSQL_",),
    "mariadb": ("MYSQL_", "MARIADB_"),
    "mongo": ("MONGO_INITDB_",),
    "mongo-express": ("ME_CONFIG_",),
    "wordpress": ("WORDPRESS_",),
    "nextcloud": ("MYSQL_", "POSTGRES_", "NEXTCLOUD_ADMIN_", "REDIS_HOST_"),
    "redmine": ("REDMINE_",),
    "elasticsearch": ("ELASTIC_PASSWORD",),
    "vaultwarden/server": ("ADMIN_TOKEN", "DATABASE_URL"),
    "dpage/pgadmin4": ("PGADMIN_DEFAULT_PASSWORD",),
}


def check(container: Container, needs: Needs) -> Iterator[Finding]:
    """A container with secrets in its environment, as a file of the project writes them."""
    found = [(variable, kind) for variable in container.variables if (kind := secret(variable.name, variable.text))]
    if not found:
        return
    names = [f"{variable.name} ({kind})" for variable, kind in found[:_SHOWN]]
    if len(found) > _SHOWN:
        names.append(f"{len(found) - _SHOWN} more")
    only_defaults = all(kind.startswith("a default") for _, kind in found)
    verb = "falls back on secrets of the file" if only_defaults else "has secrets in the file"
    yield Finding(
        ID,
        container.subject,
        found[0][0].place,
        f"{verb}: {', '.join(names)}",
        advice=_advice(container, found[0][0].name),
        key=container.key,
    )


def _advice(container: Container, name: str) -> str:
    image = container.image.familiar if container.image else ""
    file = ""
    if any(name.startswith(beginning) for beginning in _READS_FILES.get(image, ())):
        file = f"{name}_FILE"
    elif image.startswith("grafana/grafana") and name.startswith("GF_"):
        file = f"{name}__FILE"
    elif image.startswith(("linuxserver/", "lscr.io/linuxserver/")):
        file = f"FILE__{name}"
    if file:
        return container.platform.secret_file.format(name=file)
    # Inside a longer text there is no single variable that stands for it.
    variable = name if name.replace("_", "").isalnum() else "NAME"
    return f"{container.platform.secret_variable.format(name=variable)}, and change it where it was published"


RULE = Rule(
    id=ID,
    title="A secret in the environment of a container",
    severity=Severity.MEDIUM,
    cites=("CIS Kubernetes 5.4.1", "OWASP Docker 12", "Docker docs: compose/how-tos/use-secrets"),
    container=check,
    why="everybody who sees the file or its history, or may inspect the container, has it",
)
