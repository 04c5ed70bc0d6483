"""Where a shell keeps the here-documents and here-strings of a script. Knows no command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hardener.needs.source.places import written
from hardener.needs.source.script_text import Text
from hardener.needs.source.uses import Program, Uses

#: dash and busybox hand them on by a pipe. These keep them in files: bash before 5.1 always, and since then what fills a pipe
#: (bminor/bash redir.c@637f5c8, `here_document_to_fd`). Where an image's `sh` is one of these, that is missed.
_BY_FILE = ("bash", "ksh", "zsh")
#: A shift of numbers is none.
_DOCUMENT = re.compile(r"(?<!<)<<(?:<|-)?[ \t]*(?=[\\'\"$A-Za-z_])")


def kept(program: Program, texts: Sequence[Text]) -> Iterator[Uses]:
    """The files that the shell of a program keeps them in, where its own text, the first, or those that it reads in have any."""
    if _shell(program, texts[0]) not in _BY_FILE:
        return
    for text in texts:
        match = _DOCUMENT.search(text.script)
        if match is not None:
            folder = program.environment.get("TMPDIR") or "/tmp"
            yield written(program._replace(at=text.at(match.start())), (folder,), "may keep a here-document in")


def _shell(program: Program, text: Text) -> str:
    """The shell that reads a text: the program, or else the one that the text's first line names."""
    if program.name in _BY_FILE or not text.script.startswith("#!"):
        return program.name
    words = [word for word in text.script.partition("\n")[0][2:].split() if not word.startswith("-") and "=" not in word]
    names = [word.rpartition("/")[2] for word in words]
    return next((name for name in names if name != "env"), "")
