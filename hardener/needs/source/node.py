"""What programs of Node.js do: `node`, the scripts of npm and Yarn, and servers that start a project. Knows no library."""

from __future__ import annotations

import os
import posixpath
import re
from functools import lru_cache
from typing import Any

from hardener.facts.image_files import ImageFiles
from hardener.finding import Evidence, Strength
from hardener.needs.source.libraries import Library, shown, strength_of
from hardener.needs.source.node_project import Project, manifest_of, root_of, scripts_of, sources_of
from hardener.needs.source.uses import (
    EVERYTHING,
    MEMORY,
    THREADS,
    WRITES,
    Doubt,
    Memory,
    Program,
    Read,
    Uses,
    Write,
    merged,
    unknown,
)
from hardener.syntax import shell

_TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_tools.toml")
_NODE = frozenset(("node", "nodejs"))
_MANAGERS = frozenset(("npm", "yarn", "yarnpkg", "pnpm", "npx"))
#: Options of `node` that take the next word.
_VALUED = frozenset(
    "-r --require --import --loader --experimental-loader -C --conditions --env-file --title --icu-data-dir".split()
)
#: Options of `node` that make it do what is not read.
_ODD = re.compile(
    r"--(?:cpu-prof|heap-prof|prof|report-on|heapsnapshot|diagnostic-dir|watch|test|run|trace-event|experimental-sea|build-snapshot)"
)
_HEAP = re.compile(r"--max[-_]old[-_]space[-_]size=(\d+)")
_PLAIN_SERVICE = 1024
#: Subcommands of the managers that run a script of `package.json` of another name, or of the same.
_RUNS = {"start": "start", "stop": "stop", "test": "test", "t": "test", "restart": "restart"}


def reader(program: Program, read: Read) -> Uses | None:
    """Reads `node app.js`, `npm start`, `next start` and their kin; None for a program of another kind."""
    name = program.name
    if name in _NODE:
        return _node(program, read)
    if name in _MANAGERS:
        return _managed(program, read)
    tool = _tools().get(name) or _tools().get(program.words[0].rpartition("node_modules/.bin/")[2])
    if tool is not None:
        return _tool(program, read, tool)
    if name.endswith((".js", ".mjs", ".cjs")) or program.files.kind(_absolute(program, program.words[0])) == "file":
        text = program.files.text(_absolute(program, program.words[0])) or ""
        if re.match(r"#!\s*\S*\b(?:env\s+(?:-S\s+)?)?node\b", text):
            return _node(program._replace(words=("node", *program.words)), read)
    return None


def _absolute(program: Program, path: str) -> str:
    return posixpath.normpath(posixpath.join(program.workdir, path))


# --- node ------------------------------------------------------------------------------------------------------------------


def _node(program: Program, read: Read) -> Uses:
    doubts: list[Doubt] = []
    options = (program.variable("NODE_OPTIONS") or "").split()
    words = [*options, *program.words[1:]]
    loads: list[str] = []
    code = ""
    script: str | None = None
    at = 0
    while at < len(words):
        word = words[at]
        name, equals, value = word.partition("=")
        if word in ("-e", "--eval", "-p", "--print", "-pe"):
            code = words[at + 1] if at + 1 < len(words) else ""
            break
        if name in _VALUED:
            if not equals:
                at += 1
                value = words[at] if at < len(words) else ""
            if name in ("-r", "--require", "--import", "--loader", "--experimental-loader"):
                loads.append(value)
        elif _ODD.match(word):
            doubts.append(Doubt(EVERYTHING, f"what `node {word}` writes and runs"))
        elif not word.startswith("-"):
            script = word
            break
        elif word in ("-", "-i", "--interactive"):
            break
        at += 1
    if script is None and not code:
        return unknown("`node` reads its program from its input")
    if script is not None and "$" in script:
        return unknown(f"which script `node {script}` runs")
    uses = _code(program, read, code) if script is None else application(program, read, script, loads)
    heap = _HEAP.search(" ".join(words))
    if heap and uses.memory is not None and int(heap[1]) * 5 // 4 + 256 > uses.memory.mib:
        mib = int(heap[1]) * 5 // 4 + 256
        uses = uses._replace(memory=uses.memory._replace(mib=mib, why=f"a heap of {heap[1]} MiB"))
    return uses._replace(doubts=(*uses.doubts, *doubts))


def _code(program: Program, read: Read, code: str) -> Uses:
    """What a program in the command line does."""
    from hardener.needs.source.listing import Listing

    project = Project(program, read, program.files, program.workdir)
    path = posixpath.join(program.workdir, "[eval]")
    listing = project.listings[path] = Listing(path, code, program.at, None, "javascript")
    for found in project.loaded(listing):
        project.load(found)
    return _summary(project, program, project.gather(program.at), program.at)


def application(program: Program, read: Read, script: str, loads: list[str] | None = None) -> Uses:
    """What a script, and all that it loads, does."""
    path = _absolute(program, script)
    files, there = program.files, path
    found = Project(program, read, files, root_of(files, path) or posixpath.dirname(path)).file_at(path)
    if not found:
        files, there = program.files.maker(path)
        root = root_of(files, there)
        if not root:
            return unknown(f"`{script}`, which is not among the files of the project")
        project = Project(program, read, files, root)
        if project.is_next:
            return next_server(program, read, files, root, posixpath.dirname(path))
        found = project.file_at(there) or sources_of(project, there if posixpath.splitext(there)[1] else there + ".js")
        project.move(there, path)
        if not found:
            if not project.builds:
                return unknown(f"`{script}`, which is not among the files of the project")
            project.load_all(root)
            if not project.listings:
                return unknown(f"`{script}`, which is not among the files of the project")
    else:
        project = Project(program, read, files, root_of(files, found) or posixpath.dirname(found))
    if found:
        project.load(found)
    for name in loads or ():
        project.load_named(name)
    origin = files.origin(found) if found else None
    return _summary(project, program, project.gather(program.at), f"{origin or program.at}:1" if origin else program.at)


def _summary(project: Project, program: Program, libraries: dict[str, Library | None], source: str) -> Uses:
    count = len(project.listings)
    files = f"{count} source file" + ("s" if count != 1 else "")
    claim = f"{files} of Node.js{shown(libraries)}"
    memory = Memory(_PLAIN_SERVICE, "a service on Node.js, with room", Evidence(claim, source, Strength.READ))
    uses = project.gathering.uses(Evidence(claim, source, strength_of(libraries.values())), memory)
    return uses._replace(memory=None) if uses.open(MEMORY) else uses


def next_server(program: Program, read: Read, files: ImageFiles, root: str, folder: str) -> Uses:
    """What `next start`, or the server that `next build` makes, does for the pages below a folder."""
    project = Project(program, read, files, root)
    project.compiled.append((root, None))
    project.load_all(root)
    if not project.listings:
        return unknown("the pages that Next.js serves")
    project.packages.setdefault("next", program.at)
    gathering = project.gathering
    evidence = Evidence("Next.js keeps images and pages in .next/cache", program.at, Strength.READ)
    gathering.write(posixpath.join(folder, ".next/cache"), "cache", False, evidence)
    port = program.variable("PORT", "3000")
    for at, word in enumerate(program.words):
        if word in ("-p", "--port") and at + 1 < len(program.words):
            port = program.words[at + 1]
    if port is not None and port.isdecimal():
        gathering.listen(int(port), "tcp", Evidence(f"Next.js listens on port {port}", program.at, Strength.READ))
    else:
        gathering.doubt(("ports",), "the port of Next.js")
    return _summary(project, program, project.gather(program.at), program.at)


# --- package managers --------------------------------------------------------------------------------------------------------


def _managed(program: Program, read: Read) -> Uses:
    name, words = program.name.replace("yarnpkg", "yarn"), list(program.words[1:])
    folder = program.workdir
    left: list[str] = []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in ("--prefix", "-C", "--cwd", "--dir") and not left:
            folder = _absolute(program, value if equals else next(rest, ""))
        elif word == "--":
            left += list(rest)
        elif word.startswith("-") and len(left) < 2:
            if option in ("-w", "--workspace", "--filter", "-F", "--loglevel", "--userconfig", "--cache"):
                if option in ("-w", "--workspace", "--filter", "-F"):
                    return unknown(f"which package `{name}` runs a script of")
                if not equals and option != "--cache":
                    next(rest, "")
        else:
            left.append(word)
    files, there = program.files, folder
    if manifest_of(files, there) is None:
        files, below = program.files.maker(posixpath.join(folder, "package.json"))
        there = posixpath.dirname(below)
    manifest = manifest_of(files, there)
    if name == "npx" or left[:1] in (["exec"], ["x"], ["dlx"]):
        command = left if name == "npx" else left[1:]
        if not command or left[:1] == ["dlx"] or (manifest is None and command[0] not in _tools()):
            return unknown(f"what `{name}` fetches and runs")
        uses = _wrapped(program, [read(program._replace(words=tuple(command), workdir=folder))], name, manifest)
        if name == "npx" and not _is_listed(command[0], manifest):
            # What is not installed it puts below the home folder when it starts (npm/cli, workspaces/libnpmexec/lib/index.js).
            doubt = Doubt(frozenset((WRITES,)), f"whether `npx` fetches `{command[0]}` into its cache when it starts")
            uses = uses._replace(doubts=(*uses.doubts, doubt))
        return uses
    if manifest is None:
        return unknown(f"`package.json`, in which `{name}` looks for its scripts")
    scripts = scripts_of(manifest)
    if left[:1] in (["run"], ["run-script"], ["rum"]):
        wanted, extra = left[1] if len(left) > 1 else "", left[2:]
    else:
        wanted, extra = _RUNS.get(left[0], left[0] if name != "npm" else "") if left else "", left[1:]
    if wanted == "start" and "start" not in scripts and name != "yarn":
        scripts = {**scripts, "start": "node server.js"}
    if wanted not in scripts:
        return unknown(f"what `{' '.join(program.words)}` runs")
    lifecycle = [wanted] if name == "pnpm" else [f"pre{wanted}", wanted, f"post{wanted}"]
    found = []
    origin = files.origin(posixpath.join(there, "package.json")) or "package.json"
    for key in lifecycle:
        if key in scripts:
            script = scripts[key] + "".join(f" {word}" for word in extra if key == wanted)
            found.append(read(_script(program._replace(workdir=folder, at=origin), script)))
    return _wrapped(program, found, name, manifest)


def _is_listed(package: str, manifest: dict[str, Any] | None) -> bool:
    """Whether `npm install` in this folder puts a package there."""
    tables = ((manifest or {}).get(key) for key in ("dependencies", "devDependencies", "optionalDependencies"))
    return any(isinstance(table, dict) and package in table for table in tables)


def _script(program: Program, script: str) -> Program:
    """The program of a script of `package.json`: that of its only command, or a shell."""
    commands = shell.commands(script)
    if len(commands) == 1 and commands[0].words and not commands[0].redirects:
        command = commands[0]
        whole = script.strip()
        if command.end == len(whole) and not any(word.expands for word in (*command.words, *command.assignments)):
            pairs = (word.text.partition("=") for word in command.assignments)
            environment = {**program.environment, **{key: value for key, _, value in pairs}}
            return program._replace(words=tuple(word.text for word in command.words), environment=environment, arguments=())
    return program._replace(words=("sh", "-c", script), arguments=())


def _wrapped(program: Program, found: list[Uses], name: str, manifest: dict[str, Any] | None) -> Uses:
    """What is run, and what the package manager does around it."""
    uses = merged(found[0].read, found) if len(found) != 1 else found[0]
    asked = str((manifest or {}).get("packageManager", ""))
    if (name == "yarn" and not asked.startswith("yarn@")) or asked.startswith("yarn@1"):
        # It needs a folder for its cache, and puts wrappers of node and yarn into another: yarnpkg/yarn 1.22.22, lib/cli.js.
        evidence = Evidence("Yarn looks for a folder for its cache, and puts wrappers of node there", program.at, Strength.READ)
        return uses._replace(writes=(*uses.writes, Write("/tmp", "scratch", True, evidence)))
    if name in ("yarn", "pnpm"):
        return uses._replace(doubts=(*uses.doubts, Doubt(frozenset((WRITES,)), f"what `{name}` writes before it runs a script")))
    # npm cannot write its logs to a root that is read-only, says so at most, and goes on: measured with npm 6, 8, 9 and 10.
    return uses


# --- other commands ------------------------------------------------------------------------------------------------------------


@lru_cache
def _tools() -> dict[str, dict[str, Any]]:
    import tomllib

    with open(_TOOLS, "rb") as stream:
        data: dict[str, dict[str, Any]] = tomllib.load(stream)
    return data


def _tool(program: Program, read: Read, tool: dict[str, Any]) -> Uses | None:
    kind, words = tool["is"], list(program.words[1:])
    if kind == "next":
        if not words or words[0] != "start":
            return unknown(f"`{' '.join(program.words[:2])}` builds pages while it runs")
        return _next_start(program, read)
    if kind == "unknown":
        return unknown(f"`{program.name}` {tool['text']}")
    valued = tool.get("valued", "").split()
    environment = dict(program.environment)
    while words:
        if words[0] == "--":
            words.pop(0)
            break
        if kind == "environment" and re.match(r"\w+=", words[0]):
            key, _, value = words.pop(0).partition("=")
            environment[key] = value
        elif words[0].startswith("-"):
            option = words.pop(0)
            if option in valued and words:
                words.pop(0)
        else:
            break
    program = program._replace(environment=environment)
    if kind == "static":
        return _static(program, tool)
    if not words and not tool.get("default"):
        return unknown(f"what `{program.name}` runs")
    words = words or [tool["default"]]
    doubts = (Doubt(frozenset(tool["about"].split()), f"`{program.name}` {tool['text']}"),) if "about" in tool else ()
    if (
        kind == "script"
        and not words[0].endswith((".json", ".yml", ".yaml"))
        and not words[0].endswith((".config.js", ".config.cjs"))
    ):
        uses = read(program._replace(words=("node", *words)))
    elif kind == "script":
        return unknown(f"which programs `{words[0]}` lists")
    else:
        uses = read(program._replace(words=tuple(words)))
    writes = tuple(
        Write(item["path"], item["kind"], False, Evidence(f"{program.name} {item['why']}", program.at, Strength.READ))
        for item in tool.get("writes", ())
    )
    memory = None if any(doubt.about & {MEMORY, THREADS} for doubt in doubts) else uses.memory
    return uses._replace(doubts=(*uses.doubts, *doubts), memory=memory, writes=(*uses.writes, *writes))


def _next_start(program: Program, read: Read) -> Uses:
    folders = [word for word in program.words[2:] if not word.startswith("-") and not word.isdecimal()]
    folder = _absolute(program, folders[0]) if folders else program.workdir
    files, there = program.files.maker(posixpath.join(folder, ".next"))
    root = posixpath.dirname(there)
    if not (manifest_of(files, root) or {}):
        files, root = program.files, folder
    return next_server(program, read, files, root, folder)


def _static(program: Program, tool: dict[str, Any]) -> Uses:
    """A server of files."""
    from hardener.needs.source.uses import Listen

    port = program.variable("PORT", str(tool["port"]))
    for at, word in enumerate(program.words):
        option, equals, value = word.partition("=")
        if option in ("-l", "-p", "--listen", "--port"):
            port = value if equals else program.words[at + 1] if at + 1 < len(program.words) else ""
    read = Evidence(f"{program.name} {tool['version']} only serves files", program.at, Strength.READ)
    memory = Memory(_PLAIN_SERVICE, "a server of files on Node.js", read)
    number = (port or "").rpartition(":")[2]
    if not number.isdecimal():
        return Uses(read, memory=memory, doubts=(Doubt(frozenset(("ports",)), f"the port of `{program.name}`"),))
    return Uses(read, listens=(Listen(int(number), "tcp", read._replace(claim=f"listens on port {number}")),), memory=memory)
