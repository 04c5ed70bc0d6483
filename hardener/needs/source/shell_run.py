"""What the commands of a shell script do, with their variables put in. Knows no command but the shell's own.

There is no control flow but `case`, where its word is known: each command counts as run, and a variable as having any of the
values that it is ever given.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product

from hardener.finding import Evidence, Strength
from hardener.needs.source import shell_words
from hardener.needs.source.given import given_by_image, given_by_words, overriding
from hardener.needs.source.here_documents import kept
from hardener.needs.source.places import found as found_program
from hardener.needs.source.places import location, place, written
from hardener.needs.source.reconfigured import reconfigured
from hardener.needs.source.script_text import Assigned, Text
from hardener.needs.source.shell_case import asks_arguments, is_in_loop, passed_over
from hardener.needs.source.step_down import STEP_DOWNS
from hardener.needs.source.uses import Capability, Memory, Program, Read, Uses, Write, merged, read_in, together, unknown
from hardener.record import NamedTuple
from hardener.syntax import shell

SHELLS = frozenset(("sh", "bash", "ash", "dash", "ksh", "zsh"))
#: A longer script is not read.
LONGEST = 256 * 1024
#: A command that may become more than this many is read with its words as they are written.
_MOST = 24
#: How often functions may call one another, and files be read into one shell.
_DEEPEST = 8
#: More commands than this are not read, because each may start programs that take their time.
_MOST_COMMANDS = 2000

_DOES_NOTHING = frozenset(
    ": true false test [ [[ echo printf exit return shift wait read local export declare typeset readonly unset umask getopts "
    "let times type hash alias unalias jobs fg bg disown break continue shopt mapfile readarray bind history pwd set ulimit "
    "suspend logout complete compgen dirs popd".split()
)
_LEADING = frozenset(("exec", "builtin", "coproc", "command", "nohup", "time", "!"))
#: What the engine or the shell itself gives a value.
_GIVEN_LATER = frozenset(
    "HOME HOSTNAME PATH USER LOGNAME UID EUID RANDOM SECONDS PPID OLDPWD OPTARG OPTIND REPLY LINENO IFS".split()
)
_OWN_FOLDERS = ("/etc", "/usr", "/docker-entrypoint", "/lib", "/bin", "/sbin")
_SMALL = 64


class _Frame(NamedTuple):
    """A function that runs, empty for the script itself, with all that its arguments may be."""

    function: str
    positional: tuple[tuple[str, ...] | None, ...]
    #: The offset of the script's own command that led here.
    since: int = -1
    depth: int = 0


class _Scope:
    """What is known of variables at a command; see `shell_words.Scope`."""

    def __init__(self, run: Shell, text: Text, frame: _Frame, busy: frozenset[str] = frozenset()) -> None:
        self._run = run
        self._text = text
        self._frame = frame
        self._busy = busy

    def positional(self) -> Sequence[tuple[str, ...] | None]:
        return self._frame.positional

    def values(self, name: str) -> Sequence[str | None]:
        run = self._run
        if name.isdecimal():
            if name == "0":
                return [run.zero]
            at = int(name) - 1
            return [None if words is None else words[at] if at < len(words) else "" for words in self._frame.positional]
        if name == "BASH_SOURCE":
            return [run.zero if self._text is run.text else None]
        if name == "PWD":
            return run.workdirs
        if name in self._busy or not (name[0].isalpha() or name[0] == "_"):
            return [None]
        found: list[str | None] = [None] if run.sets_any else []
        certain = False
        for text, item in run.assigned.get(name, ()):
            found += self._given(text, item)
            here = self._frame.since if not item.function else len(text.script)
            certain = certain or (item.certain and text is self._text and item.offset < here and not self._other(item, text))
        if not certain:
            later = name in _GIVEN_LATER and name not in run.program.environment
            found.append(None if later else run.program.variable(name))
        return list(dict.fromkeys(found))

    def substitution(self, start: int, end: int) -> Sequence[str | None]:
        if start < 0:
            return [None]
        commands = self._text.inner(start, end)
        words = [shell_words.expand(self._text.raw(w), w.start, self) for command in commands[:1] for w in command.words]
        if not words or any(len(choices) != 1 or len(choices[0]) != 1 or "$" in choices[0][0] for choices in words):
            return [None]
        name, *arguments = (choices[0][0] for choices in words)
        if len(commands) == 2 and name == "cd" and commands[1].name == "pwd" and len(arguments) == 1:
            return [w and posixpath.normpath(posixpath.join(w, arguments[0])) for w in self._run.workdirs]
        if len(commands) != 1 or (not arguments and name != "pwd"):
            return [None]
        if name == "pwd":
            return self._run.workdirs
        if name == "dirname" and len(arguments) == 1:
            return [posixpath.dirname(arguments[0]) or "."]
        if name == "basename" and len(arguments) < 3:
            return [posixpath.basename(arguments[0]).removesuffix(arguments[1] if len(arguments) == 2 else "")]
        if name == "which" or (name == "command" and arguments[0] == "-v"):
            return [arguments[-1]]
        if name == "echo" and not arguments[0].startswith("-"):
            return [" ".join(arguments)]
        return [None]

    def _other(self, item: Assigned, text: Text) -> bool:
        """Whether an assignment stands in a function that does not run here."""
        return item.function != "" and (text is not self._text or item.function != self._frame.function)

    def _given(self, text: Text, item: Assigned) -> Sequence[str | None]:
        if item.raw is None:
            return [None]
        frame = self._frame
        if self._other(item, text):
            frame = _Frame(item.function, (None,), len(text.script))
        elif not item.function:
            frame = self._run.main._replace(since=item.offset)
        scope = _Scope(self._run, text, frame, self._busy | {item.name})
        found: list[str | None] = []
        for raw, offset in item.raw:
            if not item.loop:
                found += shell_words.texts(raw, offset, scope)
                continue
            for words in shell_words.expand(raw, offset, scope):
                for word in words:
                    found += self._run.matching(word)
        return found[:_MOST] if len(found) <= _MOST else [None]


class Shell:
    """One shell: the script and all files that are read into it."""

    def __init__(self, program: Program, read: Read, text: Text, zero: str, arguments: tuple[str, ...]) -> None:
        self.program = program
        self.zero = zero
        self.sets_any = False
        self.workdirs: list[str | None] = [program.workdir]
        self.assigned: dict[str, list[tuple[Text, Assigned]]] = {}
        self._read = read
        self.text = text
        self._functions: dict[str, Text] = {}
        self._exported: set[str] = set()
        self._sourced: dict[str, Text | None] = {}
        self._texts = [text]
        self._called: set[tuple[str, tuple[str, ...]]] = set()
        self._uses: list[tuple[Uses, bool]] = []
        self._given = dict(given_by_image(program))
        self._count = 0
        self._environments: dict[int, dict[str, str | None]] = {}
        #: Files that commands are given which are not the project's: the program may have made them, for nobody else to read.
        self._looks: list[Uses] = []
        self.main = _Frame("", (arguments,))
        self._arguments = arguments
        self._learn(text, 0)
        self.main = self.main._replace(positional=self._positional(arguments))

    def uses(self, name: str) -> Uses:
        """What all of its commands do."""
        for keeps in kept(self.program, self._texts):
            self._add(keeps)
        self._run(self.text, self.main)
        many = [uses for uses, _ in self._uses]
        label = self.text.label
        at = label or self.program.at
        inner = dict.fromkeys(uses.read.claim for uses in many if uses.read.source.rpartition(":")[0] != at != uses.read.source)
        claim = read_in((*inner, name)) if len(many) > 1 or not inner else next(iter(inner))
        weakest = min((uses.read.strength for uses in many), default=Strength.READ)
        read = Evidence(claim, at, min(weakest, Strength.READ))
        found = merged(read, many)
        found = reconfigured(found)
        by_root = [uses for uses, steps_down in self._uses if not steps_down]
        found = overriding(found, [*by_root, *self._looks], self._given)
        if found.users and any(named.name == "kill" for named in found.runs):
            evidence = next(named.evidence for named in found.runs if named.name == "kill")
            found = found._replace(capabilities=(*found.capabilities, Capability("KILL", "signals to another user's", evidence)))
        return found._replace(memory=self._memory(many, read))

    def matching(self, word: str) -> list[str | None]:
        """The files of the image that a pattern names; the word itself where it is none."""
        if not any(sign in word for sign in "*?[") or "$" in word:
            return [None if "$" in word else word]
        path = location(word, self.program)
        if path is None:
            return [None]
        pattern = posixpath.join(self.program.workdir, word)
        files = [f for f in self.program.files.walk(path) if fnmatchcase(f, pattern) and f.count("/") == pattern.count("/")]
        others = [None] if not files or pattern.startswith(_OWN_FOLDERS) else []
        return [*files, *others]

    def _learn(self, text: Text, depth: int) -> None:
        """Take in the functions and variables of a text, and of the files that it reads in."""
        for name, _, _ in text.functions:
            self._functions[name] = text
        for item in text.assigned:
            self.assigned.setdefault(item.name, []).append((text, item))
        self._exported |= text.exported
        self.sets_any = self.sets_any or text.sets_any
        if depth >= _DEEPEST:
            return
        for command in text.commands:
            if command.name in (".", "source") and len(command.words) > 1:
                scope = _Scope(self, text, self.main._replace(since=command.start))
                word = command.words[1]
                for fields in shell_words.expand(text.raw(word), word.start, scope):
                    for name in fields[:1]:
                        self._source(name, depth + 1)

    def _source(self, name: str, depth: int) -> None:
        for file in self.matching(name):
            if file is None or file in self._sourced:
                continue
            path = found_program(file, self.program)
            script = self.program.files.text(path) if path else None
            self._sourced[file] = None
            if path is not None and script is not None and len(script) <= LONGEST:
                self._sourced[file] = text = Text(script, self.program.files.origin(path) or path)
                self._texts.append(text)
                self._learn(text, depth)

    def _positional(self, arguments: tuple[str, ...], before: int | None = None) -> tuple[tuple[str, ...] | None, ...]:
        """All that `"$@"` may be, by the script's `set --` and `shift`, and before an offset by those that come before it."""
        found: list[tuple[str, ...] | None] = [arguments]
        for command in self.text.commands:
            if self.text.function_at(command.start) or (before is not None and command.start > before):
                continue
            if command.name == "shift":
                found += [words[at:] for words in found if words for at in range(1, len(words) + 1)]
            elif command.name == "set" and "--" in command.arguments:
                scope = _Scope(self, self.text, self.main._replace(positional=tuple(found), since=command.start))
                at = command.arguments.index("--") + 2
                choices = [shell_words.expand(self.text.raw(word), word.start, scope) for word in command.words[at:]]
                found += [tuple(word for fields in fields_of for word in fields) for fields_of in product(*choices)]
            found = list(dict.fromkeys(found))
            if len(found) > _MOST:
                return (None,)
        return tuple(found)

    def _run(self, text: Text, frame: _Frame) -> None:
        passed = list(self._passed_over(text, frame))
        for command in text.commands:
            if text.function_at(command.start) == frame.function and not any(s <= command.start < end for s, end in passed):
                here = frame if frame.function else frame._replace(since=command.start)
                self._command(text, command, here)

    def _passed_over(self, text: Text, frame: _Frame) -> Iterator[tuple[int, int]]:
        """The ranges of the branches of each `case` that are not taken."""
        for case in text.cases:
            start = case.subject.start
            if text.function_at(start) != frame.function:
                continue
            here = frame if frame.function else frame._replace(since=start)
            if asks_arguments(text.raw(case.subject)):
                if text is not self.text or (frame.function and any(c.name in ("shift", "set") for c in text.commands)):
                    continue
                if not frame.function and not is_in_loop(text.script, case):
                    here = here._replace(positional=self._positional(self._arguments, start))
            values = shell_words.texts(text.raw(case.subject), start, _Scope(self, text, here))
            yield from passed_over(text.script, case, values)

    def _command(self, text: Text, command: shell.Command, frame: _Frame) -> None:
        self._count += 1
        if self._count > _MOST_COMMANDS:
            if self._count == _MOST_COMMANDS + 1:
                self._add(unknown(f"what the script {text.label} does after {_MOST_COMMANDS} commands"))
            return
        scope = _Scope(self, text, frame)
        at = text.at(command.start)
        program = self.program._replace(at=at, arguments=())
        for redirect in command.redirects:
            for fields in shell_words.expand(text.raw(redirect.target), redirect.target.start, scope):
                for folder in self.workdirs:
                    self._add(written(program._replace(workdir=folder or "/$PWD"), fields, "writes"))
        if not command.words:
            return
        environment = self._environment(text, command, scope, frame.since)
        found: list[tuple[str, ...]] = [()]
        for word in command.words:
            choices = shell_words.expand(text.raw(word), word.start, scope)
            if len(choices) * len(found) > _MOST:
                choices = ((word.text,),)
            found = [(*words, *fields) for words in found for fields in choices]
        found = [words for words in dict.fromkeys(map(_started, found)) if words and words[0]]
        if len(found) > 1:
            # What begins with an option is no program: it is what a script puts one before.
            found = [words for words in found if not words[0].startswith("-")]
        for words in found:
            self._simple(text, command, words, frame, program._replace(environment=environment))

    def _simple(self, text: Text, command: shell.Command, words: tuple[str, ...], frame: _Frame, program: Program) -> None:
        if words[0] in _DOES_NOTHING:
            return
        name = words[0]
        if name in (".", "source"):
            self._read_in(words, frame, program)
        elif name == "cd" or name == "pushd":
            self._change(text, command, words)
        elif name == "trap" or name == "eval":
            self._given_text(name, words[1:], frame, program)
        elif name in self._functions:
            key = (name, words)
            if frame.depth < _DEEPEST and key not in self._called:
                self._called.add(key)
                since = frame.since
                self._run(self._functions[name], _Frame(name, (words[1:],), since, frame.depth + 1))
            elif frame.depth >= _DEEPEST:
                self._add(unknown(f"what the function `{name}` does in {place(program)}, which is called too deep"))
        elif "$" in name:
            self._add(unknown(f"what `{name}` is, that {place(program)} runs"))
        else:
            own = next((n for n, word in enumerate(words) if word == self.zero), None) if "/" in self.zero else None
            steps_down = name.rpartition("/")[2] in STEP_DOWNS
            if own is not None and (own == 0 or name.rpartition("/")[2] in SHELLS):
                return
            if own is not None and steps_down:
                # The script once more: all that it does is read already.
                words = (*words[:own], "true")
            self._given.update(given_by_words(words, program))
            self._look(words, program)
            if name == "sftp":
                words = (*words, *self._piped(text, command, frame))
            for folder in self.workdirs:
                self._add(self._read(program._replace(words=words, workdir=folder or "/$PWD")), steps_down)

    def _look(self, words: tuple[str, ...], program: Program) -> None:
        name = words[0].rpartition("/")[2]
        if name in STEP_DOWNS or name in ("chown", "chgrp", "chmod", "mkdir"):
            return
        for word in words[1:]:
            path = location(word, program) if "/" in word and not word.startswith("-") else None
            if path is not None and not program.files.kind(path):
                evidence = Evidence(f"reads {path}", program.at, Strength.READ)
                self._looks.append(Uses(evidence, (Write(path, "data", False, evidence),)))

    def _piped(self, text: Text, command: shell.Command, frame: _Frame) -> tuple[str, ...]:
        """The text that an `echo` before it gives a command, as `<<<` would."""
        before = next((other for other in reversed(text.commands) if other.end <= command.start), None)
        if before is None or before.name != "echo" or text.script[before.end : command.start].strip() != "|":
            return ()
        scope = _Scope(self, text, frame)
        words = [shell_words.expand(text.raw(word), word.start, scope) for word in before.words[1:]]
        return ("<<<", " ".join(word for fields in words for word in fields[0])) if all(len(f) == 1 for f in words) else ()

    def _read_in(self, words: tuple[str, ...], frame: _Frame, program: Program) -> None:
        for file in self.matching(words[1]) if len(words) > 1 else []:
            known = self._sourced.get(file) if file is not None else None
            if known is not None and file is not None:
                self._sourced[file] = None
                positional = (words[2:],) if len(words) > 2 else frame.positional
                self._run(known, _Frame("", positional, len(known.script), frame.depth + 1))
            elif (
                file not in self._sourced
                or found_program(file or "", program) is None
                or self.program.files.text(file or "") is None
            ):
                if posixpath.basename(words[1]) == "activate" or words[1] in ("/etc/os-release", "/usr/lib/os-release"):
                    continue
                self._add(unknown(f"what `{words[1]}` does, which {place(program)} reads in"))

    def _change(self, text: Text, command: shell.Command, words: tuple[str, ...]) -> None:
        if len(words) < 2 or words[1] == "-":
            new: list[str | None] = [None] if len(words) < 2 else []
        else:
            word = words[-1]
            new = [None if "$" in word or w is None else posixpath.normpath(posixpath.join(w, word)) for w in self.workdirs]
        if not (text.is_certain(command.start) and text is self.text):
            new = [*self.workdirs, *new]
        new = list(dict.fromkeys(new)) or [None]
        self.workdirs = new if len(new) <= 4 else [None]

    def _given_text(self, name: str, words: tuple[str, ...], frame: _Frame, program: Program) -> None:
        script = (words[0] if words else "") if name == "trap" else " ".join(words)
        if name == "trap" and script == "-":
            return
        if name == "eval" and "$" in script:
            self._add(unknown(f"what {place(program)} makes of `eval`"))
        elif frame.depth < _DEEPEST:
            self._run(Text(script, "", program.at), frame._replace(function="", depth=frame.depth + 1))

    def _exports(self, since: int) -> Mapping[str, str | None]:
        """The variables that programs get at an offset of the script."""
        # They only change where an assignment is made for certain.
        key = sum(item.certain and item.offset < since for item in self.text.assigned)
        if key not in self._environments:
            found = dict(self.program.environment)
            if self.sets_any:
                found = {name: value if name == "PATH" else None for name, value in found.items()}
            scope = _Scope(self, self.text, self.main._replace(since=since))
            for name in self.assigned:
                if name in self._exported or name in found:
                    values = scope.values(name)
                    found[name] = values[0] if len(values) == 1 else None
            self._environments[key] = found
        return self._environments[key]

    def _environment(self, text: Text, command: shell.Command, scope: _Scope, since: int) -> Mapping[str, str | None]:
        exports = self._exports(since)
        if not command.assignments:
            return exports
        found = dict(exports)
        for word in command.assignments:
            name, equals, value = text.raw(word).partition("=")
            if equals:
                texts = shell_words.texts(value, word.start + len(name) + 1, scope)
                found[name] = texts[0] if len(texts) == 1 else None
        return found

    def _add(self, uses: Uses, steps_down: bool = False) -> None:
        self._uses.append((uses, steps_down))

    def _memory(self, many: Sequence[Uses], read: Evidence) -> Memory | None:
        """Enough for the largest of them, for all large ones where some run at once, and for the shell."""
        found = [uses.memory for uses in many if uses.memory is not None]
        if len(found) < len(many):
            return None
        large = [amount.mib for amount in found if amount.mib > _SMALL]
        at_once = any("&" in text.script.replace("&&", "").replace(">&", "").replace("&>", "") for text in self._texts)
        at_once = at_once or (len(large) > 1 and any(text.has_pipe for text in self._texts))
        mib = (sum(large) if at_once else max(large, default=0)) + _SMALL
        cores = together(amount for amount in found if amount.mib > _SMALL or not amount.cores)
        busy = 1 if cores is None else 0 if at_once else cores.cores
        why = cores.why if cores is not None and cores.why else "a shell and what it runs"
        return Memory(mib, why if " " in why else f"a shell and {why}", read, busy)


def _started(words: tuple[str, ...]) -> tuple[str, ...]:
    """A command without `exec` and its kin; nothing for a `command -v` that only asks."""
    while words and words[0] in _LEADING:
        if words[0] == "command" and words[1:2] and words[1][:2] in ("-v", "-V"):
            return ()
        words = words[3:] if words[:2] == ("exec", "-a") else words[1:]
    return words
