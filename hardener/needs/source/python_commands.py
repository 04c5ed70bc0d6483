"""Which programs a Python program starts: the words of its commands, as far as they are known. Knows no program."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hardener.needs.source.python_scopes import Scope
from hardener.needs.source.python_values import HOLE, UNKNOWN, Items, Name, Reader, Value, text_of

#: What stands for a word that is not known before it runs.
_COMPUTED = "$_"
_MOST = 8

#: Words, the folder where it runs (None: not known), and whether it runs as another account.
Command = tuple[tuple[str, ...], "str | None", bool]
_Argument = Callable[[str, "ast.Call | None"], "ast.expr | None"]


def commands(
    reader: Reader, spec: Mapping[str, Any], node: ast.Call, scope: Scope, argument: _Argument
) -> Iterator[Command | str]:
    """Each command that a call may start, or in words why it is not known."""
    options = {keyword.arg: keyword.value for keyword in node.keywords}
    if None in options and spec.get("run", "").endswith(":args"):
        # The options are not seen, and one of them may make it a script.
        options = {name: value for name, value in options.items() if name is not None}
    folder = _folder(reader, options.get("cwd"), scope)
    switches = any(name in options for name in ("user", "group", "extra_groups"))
    for words in _commands(reader, spec, node, scope, argument, options):
        yield words if isinstance(words, str) else (words, folder, switches)


def _commands(
    reader: Reader,
    spec: Mapping[str, Any],
    node: ast.Call,
    scope: Scope,
    argument: _Argument,
    options: Mapping[str | None, ast.expr],
) -> Iterator[tuple[str, ...] | str]:
    if spec.get("words"):
        first = int(spec["run"].partition(":")[0])
        items = ast.List(elts=node.args[first:], ctx=ast.Load())
        values: tuple[Value, ...] = reader.values(items, scope)
    else:
        given = argument(spec["run"], node)
        if given is None:
            yield "starts a program that is computed"
            return
        values = reader.values(given, scope)
    shells = (True,) if spec.get("shell") else reader.values(options["shell"], scope) if "shell" in options else (False,)
    for value in values[:_MOST]:
        for shell in shells:
            yield _words(value, shell, len(shells) > 1)
    if len(values) > _MOST:
        yield "starts a program that is computed"


def _words(value: Value, shell: Value, either: bool) -> tuple[str, ...] | str:
    if shell is UNKNOWN or (either and not isinstance(shell, (bool, int))):
        return "starts a program in a way that is computed"
    if isinstance(value, Items):
        words = tuple(_word(item) for item in value.items) + ((_COMPUTED,) if value.more else ())
        if not words or words[0].startswith("$"):
            return "starts a program that is computed"
        return ("sh", "-c", *words) if shell else words
    if not isinstance(value, str) or value.startswith(HOLE) or not value.strip():
        return "starts a program that is computed"
    if shell:
        return ("sh", "-c", value.replace(HOLE, _COMPUTED))
    return (value.replace(HOLE, _COMPUTED),)


def _word(item: tuple[Value, ...]) -> str:
    if item == (Name("sys.executable"),):
        return "python3"
    texts = {text_of(value) for value in item}
    text = texts.pop() if len(texts) == 1 else HOLE
    return text.replace(HOLE, _COMPUTED)


def _folder(reader: Reader, given: ast.expr | None, scope: Scope) -> str | None:
    if given is None:
        return reader.program.workdir
    values = reader.values(given, scope)
    if values == (None,):
        return reader.program.workdir
    import posixpath

    text = text_of(values[0]) if len(values) == 1 else HOLE
    return None if HOLE in text else posixpath.normpath(posixpath.join(reader.program.workdir, text))
