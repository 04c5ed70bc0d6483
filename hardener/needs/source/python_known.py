"""What Python's own functions make of values: paths that are joined, variables that are read. Judges nothing."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hardener.needs.source.python_libraries import is_standard, standard
from hardener.needs.source.python_values import HOLE, UNKNOWN, Items, Name, Own, Path, Table, Value, Values, text_of

if TYPE_CHECKING:
    from hardener.needs.source.python_scopes import Scope
    from hardener.needs.source.python_values import Reader

_PATHS = frozenset(f"pathlib.{name}" for name in ("Path", "PosixPath", "PurePath", "PurePosixPath")) | {"os.fspath", "anyio.Path"}
_SAME = frozenset(
    "os.path.abspath os.path.realpath os.path.normpath os.path.normcase os.path.expandvars posixpath.abspath posixpath.normpath"
    " str bytes os.fsencode os.fsdecode typing.cast".split()
)
_GROUPS = frozenset("list tuple set sorted reversed frozenset iter enumerate".split())
#: Functions that read a variable of the environment: name, and default.
_VARIABLES = frozenset(
    "os.getenv os.environ.get os.environb.get os.environ.setdefault os.environ.pop decouple.config environ.get_key"
    " environ.Env() environ.Env().str environ.Env().path environ.Env().db environ.Env().url environ.Env().int"
    " environs.Env() environs.Env().str environs.Env().path environs.Env().int starlette.config.Config()".split()
)
_CONSTANTS: dict[str, Value] = {
    "os.sep": "/",
    "os.path.sep": "/",
    "os.curdir": ".",
    "os.pardir": "..",
    "os.devnull": "/dev/null",
    "os.extsep": ".",
    "os.linesep": "\n",
    "os.name": "posix",
    "sys.platform": "linux",
}
_PERCENT = re.compile(r"%(?:\([^)]*\))?[#0\- +]*\d*(?:\.\d+)?[a-zA-Z%]")
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}:!]*)(?:[:!][^{}]*)?\}")
#: Methods of texts that keep the beginning.
_KEEPING = frozenset("rstrip strip removesuffix encode decode".split())


class Known:
    """Python's own names, for one program."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.program = reader.program
        #: Variables that the program reads from a file at its start, where the container does not set them.
        self.more_variables: dict[str, str] = {}

    def has(self, name: str) -> bool:
        """Whether a full name means something here; others are not taken from a `*` import."""
        return name in standard().calls or name in _SAME or name in _PATHS or name in _VARIABLES or name.startswith("os.")

    def attribute(self, base: str, name: str) -> Values:
        """An attribute of something of a library."""
        full = f"{base}.{name}"
        if base in ("tempfile.TemporaryDirectory()", "tempfile.NamedTemporaryFile()") and name == "name":
            return (posixpath.join(self.temporary(), HOLE),)
        if full == "sys.argv":
            return (self._arguments(),)
        if full == "django.conf.settings" or (name.isupper() and base == "django.conf.settings"):
            return self.reader.configured(name) if name.isupper() else (Name(full),)
        if name in standard().watched and "." not in base and is_standard(base):
            # `shutil.os` is `os`.
            return (Name(name),)
        if full == "os.path.os":
            return (Name("os"),)
        if full == "sqlite3.dbapi2":
            return (Name("sqlite3"),)
        return (_CONSTANTS.get(full, Name(full)),)

    def _arguments(self) -> Value:
        words = self.program.words
        at = next((i for i, word in enumerate(words) if i and (word.endswith(".py") or not word.startswith("-"))), None)
        if at is None:
            return UNKNOWN
        return Items(tuple((HOLE if "$" in word else word,) for word in words[at:]), "-m" in words[:at])

    def item(self, value: Value, key: Value) -> Values:
        """What stands under a key of something of a library; nothing where the project's settings may tell."""
        if isinstance(value, Name):
            if value.name in ("os.environ", "os.environb"):
                return self.variable(key, (UNKNOWN,))
            if value.name == "sys.modules":
                return (Name(key) if isinstance(key, str) and HOLE not in key else UNKNOWN,)
            if isinstance(key, str) and key.isupper() and not value.name.startswith("os."):
                return ()
            return (Name(f"{value.name}[]"),)
        return ()

    def variable(self, name: Value, default: Values) -> Values:
        """A variable of the environment."""
        if not isinstance(name, str) or HOLE in name:
            return (UNKNOWN,)
        if name in self.program.environment:
            value = self.program.environment[name]
            return (value if value is not None else UNKNOWN,)
        if name in self.more_variables:
            return (self.more_variables[name],)
        if self.program.more_environment or any(name in one.variables for one in self.reader.project.modules.values()):
            return tuple(dict.fromkeys((UNKNOWN, *default)))
        return default

    def setting(self, own: Own, name: str, bound: bool) -> Values:
        """A field of pydantic's settings, which variables of the same name fill; nothing where the class tells."""
        if not any(base.endswith("BaseSettings") for base in self.reader.ancestors(own)):
            return ()
        if not bound:
            return ()
        module = own.scope.module
        prefix = ""
        inner = module.scopes.get(own.node)
        for text in ("env_prefix", "model_config", "Config"):
            if inner is not None and text in inner.names and text == "env_prefix":
                return (UNKNOWN,)
        for site in module.calls:
            for keyword in site.node.keywords if isinstance(site.node, ast.Call) else ():
                if keyword.arg == "env_prefix":
                    values = self.reader.texts(keyword.value, site.scope)
                    prefix = values[0] if len(values) == 1 else HOLE
        found = self.variable((prefix + name).upper(), ())
        return found if found and UNKNOWN not in found else (() if not found else (UNKNOWN,))

    def call(self, name: str, node: ast.Call, scope: Scope) -> Values:
        """What a function of a library gives."""
        values = [self.reader.values(one, scope) for one in node.args[:8]]
        if any(isinstance(one, ast.Starred) for one in node.args):
            values = [(UNKNOWN,)]
        first = values[0] if values else ()
        if name in _PATHS or name in ("os.path.join", "posixpath.join"):
            make: Callable[[str], str] = str if "join" in name else Path
            texts = [tuple(text_of(value) for value in value_set) for value_set in values] or [(".",)]
            return tuple(make(joined(parts)) for parts in self._all(texts))
        if name in _SAME and values:
            return tuple(self._resolved(value, name) for value in first)
        if name in ("os.path.dirname", "posixpath.dirname") and values:
            return tuple(dirname(text_of(value)) for value in first)
        if name in ("os.path.basename", "posixpath.basename") and values:
            return tuple(posixpath.basename(text_of(value)) for value in first)
        if name in ("os.path.expanduser", "posixpath.expanduser") and values:
            return tuple(self.home(text_of(value)) for value in first)
        if name in _VARIABLES and values:
            default = next((one.value for one in node.keywords if one.arg in ("default", "d")), None)
            given = self.reader.values(default, scope) if default else values[1] if len(values) > 1 else (None,)
            return tuple(value for key in first for value in self.variable(key, given))
        if name in ("os.getcwd", "os.getcwdb"):
            return (self.program.workdir,)
        if name in ("pathlib.Path.cwd", "pathlib.Path.home"):
            return (Path(self.program.workdir if name.endswith("cwd") else self.home("~")),)
        if name == "tempfile.gettempdir":
            return (self.temporary(),)
        if name in _GROUPS and values:
            return first if all(isinstance(value, Items) for value in first) else (UNKNOWN,)
        if name in ("os.listdir", "glob.glob", "glob.iglob"):
            return (Items(((HOLE,),)),)
        if name == "getattr" and len(values) > 1:
            return self._attribute_by_name(values)
        if name in ("pwd.getpwnam", "grp.getgrnam") and len(first) == 1:
            return (Name(f"{name}({text_of(first[0])})"),)
        if name == "int" and len(first) == 1 and isinstance(first[0], str) and first[0].strip().isdecimal():
            return (int(first[0]),)
        if name == "int" and values:
            return tuple(
                int(v) if isinstance(v, str) and v.strip().isdecimal() else v if isinstance(v, int) else UNKNOWN for v in first
            )
        if name in ("werkzeug.utils.secure_filename", "uuid.uuid4", "time.strftime", "input"):
            return (HOLE,)
        if name.startswith("tempfile.") and name != "tempfile.SpooledTemporaryFile":
            elsewhere = len(node.args) > 2 or any(one.arg in ("dir", None) for one in node.keywords)
            place = HOLE if elsewhere else posixpath.join(self.temporary(), HOLE)
            if name in ("tempfile.mkdtemp", "tempfile.mktemp"):
                return (place,)
            if name == "tempfile.mkstemp":
                return (Items(((UNKNOWN,), (place,))),)
            return (UNKNOWN if elsewhere and "Directory" in name else Name(f"{name}()"),)
        if name == "super":
            owner = scope.owner
            bases = self.reader.bases(Own("class", owner.node, owner.parent)) if owner is not None else ()
            return tuple(
                value._replace(kind="object")
                if isinstance(value, Own)
                else Name(f"{value.name}()")
                if isinstance(value, Name)
                else value
                for value in bases
            ) or (UNKNOWN,)
        if name in ("importlib.import_module", "__import__") and len(first) == 1 and isinstance(first[0], str):
            return (Name(first[0]),) if HOLE not in first[0] else (UNKNOWN,)
        return (Name(f"{name}()"),)

    def _attribute_by_name(self, values: list[Values]) -> Values:
        found: list[Value] = []
        for base in values[0]:
            for name in values[1]:
                found += self.reader.attribute(base, name) if isinstance(name, str) and HOLE not in name else (UNKNOWN,)
        return tuple(found) + (values[2] if len(values) > 2 else ())

    def _all(self, texts: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
        from itertools import product

        count = 1
        for text in texts:
            count *= len(text)
        if count > 16:
            return [tuple(text[0] if len(text) == 1 else HOLE for text in texts)]
        return list(product(*texts))

    def _resolved(self, value: Value, name: str) -> Value:
        if name in ("str", "bytes", "os.fsencode", "os.fsdecode"):
            return str(value) if isinstance(value, (str, int)) else HOLE
        if name == "typing.cast":
            return UNKNOWN
        text = text_of(value)
        if "abspath" in name or "realpath" in name:
            return normal(posixpath.join(self.program.workdir, text)) if not text.startswith(HOLE) else text
        return text if "$" not in text or "expandvars" not in name else HOLE

    def home(self, text: str) -> str:
        """A path with `~` replaced, as far as the container says what HOME is."""
        if not text.startswith("~"):
            return text
        home = self.program.environment.get("HOME") or HOLE
        return home + text[1:] if text[1:2] in ("", "/") else HOLE

    def temporary(self) -> str:
        """Where temporary files go."""
        for name in ("TMPDIR", "TEMP", "TMP"):
            if name in self.program.environment:
                return self.program.environment[name] or HOLE
        return "/tmp"

    def entered(self, value: Value) -> Value:
        """What `with value as` gives."""
        if isinstance(value, Name) and value.name == "tempfile.TemporaryDirectory()":
            return posixpath.join(self.temporary(), HOLE)
        return value

    def percent(self, left: str, right: Value) -> str:
        """`left % right`."""
        parts = iter(
            [text_of(item[0]) if len(item) == 1 else HOLE for item in right.items]
            if isinstance(right, Items)
            else [text_of(right)]
        )
        return _PERCENT.sub(
            lambda found: "%" if found.group() == "%%" else HOLE if "(" in found.group() else next(parts, HOLE), left
        )

    def path_attribute(self, path: Path, name: str) -> Values:
        """An attribute of a path that is no method."""
        if name == "parent":
            return (Path(dirname(path)),)
        if name == "parents":
            at = str(path)
            found: list[Values] = []
            while dirname(at) != at and len(found) < 12:
                at = dirname(at)
                found.append((Path(at),))
            return (Items(tuple(found)),)
        if name in ("name", "stem", "suffix"):
            return (posixpath.basename(path) if HOLE not in path and name == "name" else HOLE,)
        return (UNKNOWN,)

    def method(self, node: ast.Call, scope: Scope) -> Values:
        """What a method gives of a text, a path, a dict, or something that is not known."""
        assert isinstance(node.func, ast.Attribute)
        name = node.func.attr
        found: list[Value] = []
        for value in self.reader.values(node.func.value, scope):
            found += self._method(value, name, node, scope)
        return tuple(found) or (UNKNOWN,)

    def _method(self, value: Value, name: str, node: ast.Call, scope: Scope) -> Values:
        reader = self.reader
        arguments = [reader.texts(one, scope) for one in node.args[:8]]
        if isinstance(value, Path):
            return self._path_method(value, name, arguments)
        if isinstance(value, str):
            if name == "format":
                return (self._format(value, node, scope),)
            if name == "join" and node.args:
                items = reader.values(node.args[0], scope)
                if len(items) == 1 and isinstance(items[0], Items) and not items[0].more:
                    return (value.join(text_of(item[0]) if len(item) == 1 else HOLE for item in items[0].items),)
                return (HOLE,)
            if name in _KEEPING:
                sign = arguments[0][0] if arguments else None
                return (value.rstrip(sign) if name == "rstrip" and HOLE not in value[-1:] else value,)
            if name == "split" and HOLE not in value and node.args:
                return (
                    (Items(tuple((part,) for part in value.split(arguments[0][0] or None))),)
                    if arguments[0][0] != HOLE
                    else (UNKNOWN,)
                )
            if name == "split" and HOLE not in value:
                return (Items(tuple((part,) for part in value.split())),)
            if name in ("lower", "upper"):
                return (getattr(value, name)(),)
            return (HOLE,)
        if name == "get" and node.args:
            keys = reader.values(node.args[0], scope)
            default = reader.values(node.args[1], scope) if len(node.args) > 1 else ()
            key = keys[0] if len(keys) == 1 else UNKNOWN
            return (
                tuple(dict.fromkeys((*reader.item(value, key), *default)))
                if isinstance(value, Table) or value is UNKNOWN
                else (UNKNOWN,)
            )
        return (UNKNOWN,)

    def _path_method(self, path: Path, name: str, arguments: list[tuple[str, ...]]) -> Values:
        if name == "joinpath":
            return tuple(Path(joined((path, *parts))) for parts in self._all(arguments))
        if name in ("resolve", "absolute"):
            return (Path(normal(posixpath.join(self.program.workdir, path))) if not path.startswith(HOLE) else path,)
        if name == "expanduser":
            return (Path(self.home(path)),)
        if name in ("with_name", "with_stem", "with_suffix"):
            return (Path(posixpath.join(dirname(path), HOLE)),)
        if name in ("as_posix", "__str__", "__fspath__"):
            return (str(path),)
        if name in ("glob", "rglob", "iterdir"):
            return (Items(((Path(posixpath.join(path, HOLE)),),)),)
        return (Name(f"pathlib.Path().{name}()"),) if name == "open" else (UNKNOWN,)

    def _format(self, text: str, node: ast.Call, scope: Scope) -> str:
        texts = [self.reader.texts(one, scope) for one in node.args]
        named = {one.arg: self.reader.texts(one.value, scope) for one in node.keywords if one.arg}
        at = iter(range(len(texts)))

        def fill(found: re.Match[str]) -> str:
            key = found.group(1)
            if key is None:
                return found.group()[0]
            if key == "" or key.isdecimal():
                number = next(at, len(texts)) if key == "" else int(key)
                value = texts[number] if number < len(texts) else (HOLE,)
            else:
                value = named.get(key, (HOLE,))
            return value[0] if len(value) == 1 else HOLE

        return _BRACES.sub(fill, text)


def joined(parts: Any) -> str:
    """Parts of a path put together; what is not known counts as a name below what is before it."""
    whole = ""
    for part in parts:
        whole = posixpath.join(whole, part)
    return whole


def dirname(path: str) -> str:
    """The folder of a path; of one that is only a name, the working folder."""
    if path in ("", "."):
        return ".."
    if path.endswith("..") or path == HOLE:
        return posixpath.join(path, "..")
    return posixpath.dirname(path.rstrip("/") if len(path) > 1 else path) or "."


def normal(path: str) -> str:
    """A path without `.` and `..`; one with holes only as far as that is right."""
    return posixpath.normpath(path) if path else "."
