"""The libraries that builds with Maven and Gradle put into a program, and the settings of its resources. Runs no build."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from hardener.facts.image_files import ImageFiles
from hardener.needs.source.uses import Program

_COMMENT = re.compile(r"<!--.*?-->", re.S)
_ASIDE = re.compile(r"<(build|dependencyManagement|reporting|profiles|pluginManagement|exclusions)>.*?</\1>", re.S)
_DEPENDENCY = re.compile(r"<dependency>(.*?)</dependency>", re.S)
_TAG = re.compile(r"<(groupId|artifactId|scope|type|optional)>\s*([^<]*?)\s*</\1>")
#: Configurations of Gradle of which nothing is in what runs.
_NOT_RUN = re.compile(
    r"(?i)test|annotationProcessor|kapt|ksp|developmentOnly|compileOnly|provided|classpath|detekt|checkstyle|jacoco|errorprone"
)
_GRADLE = re.compile(
    r"""^\s*(\w+)\s*\(?\s*(?:(?P<quoted>["'])(?P<text>[^"'\n]+)(?P=quoted)"""
    r"""|group\s*[:=]\s*["'](?P<group>[^"']+)["']\s*,\s*name\s*[:=]\s*["'](?P<name>[^"']+)["']"""
    r"""|(?P<call>project|platform|enforcedPlatform|kotlin|files|fileTree|libs)\b(?P<rest>[^\n]*))""",
    re.M,
)
_CONFIGURATIONS = re.compile(
    r"\w*(?i:implementation|api|runtime|runtimeOnly|compile)$|\w*(?i:only)$|\w*(?i:classpath|processor|kapt|ksp)$"
)
_PLACEHOLDER = re.compile(r"\$\{([^{}:]+)(?::([^{}]*))?\}")


def maven(text: str) -> set[str] | None:
    """The libraries of a `pom.xml` as group:artifact; None where a name is computed."""
    text = _COMMENT.sub("", text)
    inside = _ASIDE.sub("", text)
    found: set[str] = set()
    for block in _DEPENDENCY.findall(inside):
        tags = dict(_TAG.findall(block))
        if tags.get("scope") in ("test", "provided", "import", "system") and tags.get("scope") != "system":
            continue
        name = f"{tags.get('groupId', '')}:{tags.get('artifactId', '')}"
        own = re.search(r"<groupId>\s*([^<]*?)\s*</groupId>", inside)
        name = name.replace("${project.groupId}", own[1] if own else "?")
        if "$" in name or name.startswith(":") or tags.get("scope") == "system":
            return None
        found.add(name)
    if "<profiles>" in text and "<dependency>" in "".join(
        m.group() for m in re.finditer(r"<profiles>.*?</profiles>", text, re.S)
    ):
        for block in re.findall(r"<profiles>.*?</profiles>", text, re.S):
            for dependency in _DEPENDENCY.findall(_COMMENT.sub("", block)):
                tags = dict(_TAG.findall(dependency))
                if tags.get("scope") not in ("test", "provided"):
                    found.add(f"{tags.get('groupId', '')}:{tags.get('artifactId', '')}")
    return found


def maven_modules(text: str) -> set[str]:
    """The group:artifact of the project that a `pom.xml` is of, which its other modules may depend upon."""
    inside = re.sub(r"<parent>.*?</parent>", "", _ASIDE.sub("", _COMMENT.sub("", text)), flags=re.S)
    inside = _DEPENDENCY.sub("", inside)
    tags = dict(_TAG.findall(inside))
    parent = re.search(r"<parent>.*?<groupId>\s*([^<]*?)\s*</groupId>", text, re.S)
    return {f"{tags.get('groupId') or (parent[1] if parent else '')}:{tags.get('artifactId', '')}"}


def gradle(text: str, catalog: Mapping[str, str]) -> set[str] | None:
    """The libraries of a `build.gradle` or `build.gradle.kts`; None where one is not named in full."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"(?m)(?<!:)//.*$", "", text)
    text = re.sub(r"buildscript\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}", "", text)
    found: set[str] = set()
    for match in _GRADLE.finditer(text):
        configuration = match[1]
        if not _CONFIGURATIONS.fullmatch(configuration) or _NOT_RUN.search(configuration):
            continue
        if match["group"]:
            found.add(f"{match['group']}:{match['name']}")
        elif match["text"]:
            parts = match["text"].split(":")
            if len(parts) < 2 or "$" in parts[0] + parts[1]:
                return None
            found.add(":".join(parts[:2]))
        elif match["call"] == "kotlin":
            found.add("org.jetbrains.kotlin:kotlin-stdlib")
        elif match["call"] == "libs":
            key = match["rest"].strip(" )").lstrip(".").replace(".get()", "")
            if key.startswith("bundles."):
                names = catalog.get(key)
                if names is None:
                    return None
                found.update(names.split())
            elif key in catalog:
                found.add(catalog[key])
            else:
                return None
        elif match["call"] in ("files", "fileTree"):
            return None
    return found


def catalog_of(text: str | None) -> dict[str, str]:
    """The libraries of a `libs.versions.toml` by the names that build files use."""
    import tomllib

    try:
        data = tomllib.loads(text or "")
    except tomllib.TOMLDecodeError:
        return {}
    found: dict[str, str] = {}
    libraries = data.get("libraries")
    for key, item in libraries.items() if isinstance(libraries, dict) else ():
        if isinstance(item, str):
            name = ":".join(item.split(":")[:2])
        elif isinstance(item, dict):
            name = str(item.get("module") or f"{item.get('group')}:{item.get('name')}")
        else:
            continue
        found[re.sub(r"[-_]", ".", key)] = name
    bundles = data.get("bundles")
    for key, names in bundles.items() if isinstance(bundles, dict) else ():
        if isinstance(names, list):
            chosen = [found.get(re.sub(r"[-_]", ".", str(name)), "") for name in names]
            if "" not in chosen:
                found["bundles." + re.sub(r"[-_]", ".", key)] = " ".join(chosen)
    return found


class Settings:
    """The settings of a program from its resources, its variables and its command, each with where it is said."""

    def __init__(self, program: Program, properties: Mapping[str, str]) -> None:
        self.program = program
        self.found: dict[str, list[tuple[str, str]]] = {}
        for key, text in properties.items():
            self.found.setdefault(key.lower(), []).append((text, program.at))
        self._given = frozenset(self.found)

    def read(self, files: ImageFiles, path: str) -> None:
        """Add a file of settings."""
        text = files.text(path)
        if text is None:
            return
        origin = files.origin(path) or path
        pairs = _yaml(text) if path.endswith((".yml", ".yaml")) else _properties(text)
        for key, value, line in pairs:
            if key.lower() not in self._given:
                self.found.setdefault(key.lower(), []).append((value, f"{origin}:{line}"))

    def get(self, key: str, default: str | None = None) -> list[tuple[str | None, str]]:
        """What a setting may be, each with where that is said: None for a value that is not known. Empty where it is not set."""
        variable = "_".join(re.sub(r"[^A-Z0-9]", "", part) for part in key.upper().split("."))
        if key.lower() not in self._given and variable in self.program.environment:
            return [(self.program.environment[variable], f"${variable}")]
        found = [(self.expand(text), at) for text, at in self.found.get(key.lower(), ())]
        return found or ([(default, "")] if default is not None else [])

    def expand(self, text: str, depth: int = 0) -> str | None:
        """A text with its `${placeholders:with defaults}` put in; None where one is not known."""
        for _ in range(8):
            match = _PLACEHOLDER.search(text)
            if match is None or depth > 6:
                break
            name, default = match[1], match[2]
            values: list[str | None]
            if name in self.program.environment:
                values = [self.program.environment[name]]
            elif name.lower() in self.found:
                values = [self.expand(one, depth + 1) for one, _ in self.found[name.lower()]]
            else:
                known = self.program.variable(re.sub(r"[.-]", "_", name).upper(), "\0")
                values = [default if known == "\0" else known]
            if len(set(values)) != 1 or values[0] is None:
                return None
            text = text[: match.start()] + values[0] + text[match.end() :]
        return None if "${" in text else text


def _properties(text: str) -> Iterator[tuple[str, str, int]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line and line[0] not in "#!":
            found = re.match(r"([^=:\s]+)\s*[=:]?\s*(.*)", line)
            if found:
                yield found[1], found[2].strip(), number


def _yaml(text: str) -> Iterator[tuple[str, str, int]]:
    above: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"( *)(?:\"([^\"]+)\"|'([^']+)'|([\w.\[\]/*-]+))\s*:(?:\s+(.*))?$", line)
        if not found:
            continue
        width = len(found[1])
        while above and above[-1][0] >= width:
            above.pop()
        key = found[2] or found[3] or found[4]
        value = re.sub(r"\s+#.*$", "", found[5] or "").strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if value:
            yield ".".join([*(name for _, name in above), key]), value, number
        else:
            above.append((width, key))


def build_files(files: ImageFiles, folder: str) -> tuple[list[str], list[str], list[str]]:
    """The paths below a folder: of sources, of files of settings and logging, and of build files. Tests are left out."""
    sources, resources, builds = [], [], []
    for path in files.walk(folder):
        name = posixpath.basename(path)
        if re.search(r"/src/(?:test|it|integrationTest|testFixtures)/|/\.mvn/|/gradle/wrapper/", path):
            continue
        if name in ("pom.xml", "build.gradle", "build.gradle.kts"):
            builds.append(path)
        elif name.endswith((".java", ".kt", ".scala", ".groovy", ".clj")):
            sources.append(path)
        elif re.fullmatch(
            r"(?:application|bootstrap)[\w-]*\.(?:properties|ya?ml)|log(?:back|4j2?)[\w-]*\.(?:xml|properties|ya?ml)", name
        ):
            resources.append(path)
    return sources, resources, builds
