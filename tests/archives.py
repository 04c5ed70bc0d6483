"""An archive of files, such as a forge gives it: what `git archive` writes, by `tarfile`. Knows no forge."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable


def packed(files: Iterable[tuple[str, str, bytes]], top: str = "shop-main") -> bytes:
    """A tar.gz of files, each with its path, its mode and what it says, below a folder and behind a global header."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "0" * 40}) as tar:
        for path, mode, data in files:
            member = tarfile.TarInfo(f"{top}/{path}")
            member.mode = int(mode, 8) & 0o777
            if mode == "120000":
                member.type, member.linkname = tarfile.SYMTYPE, data.decode()
            elif mode == "160000":
                member.type = tarfile.DIRTYPE
            else:
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), 6, mtime=0)
