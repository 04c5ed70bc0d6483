"""Shell scripts: which one a program is, as text, as a file, or by its first line. Knows no command and no variable."""

from __future__ import annotations

from collections.abc import Sequence

from hardener.needs.source.command import is_known
from hardener.needs.source.places import found, place
from hardener.needs.source.script_text import Text
from hardener.needs.source.shell_run import LONGEST, SHELLS, Shell
from hardener.needs.source.uses import Program, Read, Uses, unknown

_VALUED = frozenset(("-o", "+o", "-O", "+O", "--rcfile", "--init-file"))


def reader(program: Program, read: Read) -> Uses | None:
    """What a script does: one that is given to a shell as text or as a file, or that is the program itself."""
    if program.name in SHELLS:
        text, file, rest = _shell_words(program.words[1:])
        if text is not None:
            name = f"the script `{text}`" if len(text) < 60 and "\n" not in text else "the script"
            return Shell(program, read, Text(text, "", program.at), rest[0] if rest else "sh", rest[1:]).uses(name)
        if file is None:
            return unknown(f"the script that `{program.name}` gets in {place(program)}")
        path = found(file, program)
        script = program.files.text(path) if path else None
        if path is None or script is None:
            return unknown(f"what the script `{file}` does, which could not be read")
        return _of_file(program, read, path, script, rest)
    path = found(program.words[0], program)
    script = program.files.text(path) if path else None
    if path is None or script is None:
        looks = program.name.endswith((".sh", ".bash")) and "$" not in program.name and not is_known(program.name)
        return unknown(f"what the script `{program.words[0]}` does, which could not be read") if looks else None
    if script.startswith("#!"):
        words = [word for word in script.partition("\n")[0][2:].split() if not word.startswith("-")]
        names = [word.rpartition("/")[2] for word in words]
        if not SHELLS.intersection(names):
            if names[:1] == ["env"]:
                words = words[1:]
            looped = not words or words[0] == program.words[0]
            return None if looped else read(program._replace(words=(*words, path, *program.words[1:])))
        if names[0] not in SHELLS | {"env", "dumb-init", "tini", "busybox"}:
            return unknown(f"what `{words[0]}` does, which runs the script `{path}`")
    elif not program.name.endswith((".sh", ".bash")):
        return None
    return _of_file(program, read, path, script, program.words[1:])


def _of_file(program: Program, read: Read, path: str, script: str, arguments: tuple[str, ...]) -> Uses:
    origin = program.files.origin(path) or path
    if len(script) > LONGEST:
        return unknown(f"what the script `{origin}` does, which is too long to be read")
    return Shell(program, read, Text(script, origin), path, arguments).uses(f"the script {origin}")


def _shell_words(words: Sequence[str]) -> tuple[str | None, str | None, tuple[str, ...]]:
    """The script that a shell is given as text, or the file, and what follows."""
    rest = iter(words)
    text = False
    for word in rest:
        if word in _VALUED:
            next(rest, "")
        elif word == "--":
            break
        elif word[:1] in ("-", "+") and len(word) > 1:
            text = text or (word[0] == "-" and word[1] != "-" and "c" in word)
            if word[-1] == "o" and word[1] != "-":
                next(rest, "")
            if word[0] == "-" and word[1] != "-" and "s" in word:
                return None, None, ()
        else:
            return (word, None, tuple(rest)) if text else (None, word, tuple(rest))
    after = tuple(rest)
    return (after[0] if after else "", None, after[1:]) if text else (None, after[0] if after else None, after[1:])
