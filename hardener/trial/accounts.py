"""Whom an image starts its program as, in numbers. Knows an engine, no project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hardener.trial.engine import Engine, lost

_ROOT = ("", "0", "root")
#: A passwd file beyond this is none.
_MOST_BYTES = 1 << 20


def starts_as(engine: Engine, image: str, user: str | None, labels: Mapping[str, str]) -> str:
    """`uid:gid` of a user of an image (its own where that is None); empty for root, and where nobody can tell."""
    import docker.errors

    with lost():
        try:
            told = engine.client.api.inspect_image(image)
        except docker.errors.APIError:
            return ""
    name, _, group = (user if user is not None else str((told.get("Config") or {}).get("User") or "")).partition(":")
    if name in _ROOT:
        return ""
    if name.isdecimal() and group.isdecimal():
        return f"{name}:{group}"
    users = list(_rows(engine, image, "/etc/passwd", labels))
    row = next((row for row in users if len(row) > 3 and name in (row[0], row[2])), None)
    if row is None:
        return f"{name}:{group if group.isdecimal() else 0}" if name.isdecimal() else ""
    if group and not group.isdecimal():
        groups = (found for found in _rows(engine, image, "/etc/group", labels) if len(found) > 2)
        group = next((found[2] for found in groups if found[0] == group), "0")
    return f"{row[2]}:{group or row[3]}"


def _rows(engine: Engine, image: str, path: str, labels: Mapping[str, str]) -> Iterator[list[str]]:
    """The lines of a table of accounts, from a container that is made for it and never started."""
    import io
    import tarfile

    import docker.errors

    with lost():
        api = engine.client.api
        try:
            made = api.create_container(image, command=["true"], labels=dict(labels), entrypoint=["true"])
        except docker.errors.APIError:
            return
        try:
            chunks, _ = api.get_archive(made["Id"], path)
            data = b"".join(chunks)[: 2 * _MOST_BYTES]
            with tarfile.open(fileobj=io.BytesIO(data)) as opened:
                member = next((member for member in opened if member.isfile() and member.size < _MOST_BYTES), None)
                file = opened.extractfile(member) if member is not None else None
                text = file.read().decode("utf-8", "replace") if file is not None else ""
        except (docker.errors.APIError, tarfile.TarError):
            text = ""
        finally:
            api.remove_container(made["Id"], force=True, v=True)
    yield from (line.split(":") for line in text.splitlines())
