"""Images that hold busybox and little else, made without a registry: what of them differs from test to test is said there."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pytest

#: Two accounts, as most images have.
ACCOUNTS = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"
GROUPS = "root:x:0:\napp:x:1000:\n"


class Entry(NamedTuple):
    """A file of an image, or a folder where it has no text; `link` makes it a second name of another file."""

    name: str
    text: bytes | None = None
    mode: int = 0o755
    owner: int = 0
    link: str = ""


def busybox() -> str:
    """Where the static busybox is. Skips the test where it is missing, or no engine answers."""
    found = shutil.which("busybox")
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    if found is None or b"statically" not in subprocess.run(["file", "-L", found], capture_output=True).stdout:
        pytest.skip("needs a static busybox (Debian: busybox-static, file)")
    return found


@contextmanager
def small_image(name: str, entries: Iterable[Entry] = (), *, applets: bool = False, changes: Sequence[str] = ()) -> Iterator[str]:
    """An image with busybox in /bin, with a name for each of its applets if asked for, and these entries; it goes at the end."""
    program = busybox()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(program, "bin/busybox")
        if applets:
            listed = subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split()
            entries = [*(Entry(f"bin/{applet}", link="bin/busybox") for applet in listed if applet != "busybox"), *entries]
        for entry in entries:
            made = tarfile.TarInfo(entry.name)
            made.type = tarfile.LNKTYPE if entry.link else tarfile.DIRTYPE if entry.text is None else tarfile.REGTYPE
            made.mode, made.linkname, made.size = entry.mode, entry.link, len(entry.text or b"")
            made.uid = made.gid = entry.owner
            tar.addfile(made, io.BytesIO(entry.text or b""))
    options = [f"--change={change}" for change in changes]
    subprocess.run(["docker", "import", *options, "-", name], input=archive.getvalue(), capture_output=True, check=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "image", "rm", "-f", name], capture_output=True)
