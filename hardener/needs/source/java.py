"""What programs on the JVM do whose sources are built in the same Dockerfile: `java -jar`, `java -cp`. Knows no library."""

from __future__ import annotations

import posixpath
import re

from hardener.facts.image_files import ImageFiles
from hardener.finding import Evidence, Strength
from hardener.needs.source.alternatives import Value, Values
from hardener.needs.source.gathering import Gathering
from hardener.needs.source.java_build import Settings, build_files, catalog_of, gradle, maven, maven_modules
from hardener.needs.source.libraries import shown, strength_of, use_libraries
from hardener.needs.source.listing import MAX_CHARACTERS, Listing
from hardener.needs.source.signs import signs_of
from hardener.needs.source.tokens import TEXT
from hardener.needs.source.uses import (
    EVERYTHING,
    MEMORY,
    PORTS,
    WRITES,
    Memory,
    Program,
    Read,
    Uses,
    unknown,
)
from hardener.needs.source.values import Reckoner

_MOST_FILES = 400
_VALUED = frozenset(
    "-cp -classpath --class-path -p --module-path --add-modules --add-opens --add-exports --add-reads -jar -m --module".split()
)
_BUILD = re.compile(r"\b(?:mvnw?|gradlew?|javac|kotlinc|ant)\b")
#: An archive of Spring Boot that is taken apart into layers.
_TAKEN_APART = re.compile(r"-Djarmode=\w+\s+-jar\s+(\S+)")
_SIZE = re.compile(r"-Xmx(\d+)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DATABASE = re.compile(
    r"jdbc:(?:h2:(?:file:|nio:|split:)?(?!mem:|tcp:|ssl:|zip:)|sqlite:(?!:memory:)|hsqldb:file:|derby:(?!//|memory:))([^;?]*)"
)
_SPRING = re.compile(r"org\.springframework\.boot:")
_WEB = re.compile(
    r"spring-boot-starter-(?:web|webflux|tomcat|jetty|undertow|data-rest|graphql|thymeleaf|jersey|web-services|hateoas|webmvc)$"
)
_IMPORT = re.compile(r"^\s*import\s+(?:static\s+)?([\w.]+)", re.M)
_JDK = ("java.", "javax.", "jdk.", "com.sun.net.", "com.sun.management.", "org.w3c.dom", "org.xml.sax", "kotlin.", "sun.")


def reader(program: Program, read: Read) -> Uses | None:
    """Reads `java ... -jar app.jar` and `java ... Main`; None for another program."""
    if program.name != "java":
        return None
    options, rest = _split(program)
    known = [word for word in options if "$" not in word]
    what = ""
    index = next((at for at, word in enumerate(known) if word in ("-jar", "-cp", "-classpath", "--class-path")), None)
    if index is not None and index + 1 < len(known):
        what = known[index + 1]
    elif rest[:1] and rest[0].endswith(".java"):
        what = rest[0]
    elif rest[:1]:
        what = program.variable("CLASSPATH") or "."
    if not what or any(word.startswith("@") for word in options):
        return unknown(f"which program `{' '.join(program.words[:4])}` starts")
    properties = dict(word[2:].partition("=")[::2] for word in known if word.startswith("-D"))
    properties |= dict(word[2:].partition("=")[::2] for word in rest if word.startswith("--") and "=" in word)
    place = posixpath.normpath(posixpath.join(program.workdir, _first(what, program.workdir)))
    files = _made_in(program.files, place)
    if what.endswith(".java") and program.files.kind(place) == "file":
        files = program.files
    if files is None:
        return unknown(f"`{what}`, which is not built from files of the project")
    reading = _Reading(program, read, files, properties)
    if index is not None and known[index] != "-jar":
        reading.class_path(what)
    return reading.uses(options)


def _made_in(files: ImageFiles, place: str) -> ImageFiles | None:
    """The files of the stage that builds what lies at a path; None where none does."""
    for _ in range(6):
        files, place = files.maker(place)
        if files.stage is None:
            return None
        texts = [item.arguments for _, item in files.stage.items if item.keyword == "RUN"]
        if any(_BUILD.search(text) for text in texts):
            return files
        taken = next((found for text in texts if (found := _TAKEN_APART.search(text))), None)
        if taken is None:
            return None
        place = posixpath.normpath(posixpath.join(files.stage.workdir or "/", taken[1]))
    return None


def _first(what: str, workdir: str) -> str:
    """The folder or archive of a class path that has the program: the first that is no wildcard."""
    parts = [part for part in what.split(":") if part]
    return next((part for part in parts if not part.endswith("*")), parts[0].rstrip("*") if parts else workdir)


def _split(program: Program) -> tuple[list[str], list[str]]:
    """The options of the JVM, with those of the variables that it reads and that the command expands, and the words behind."""
    words: list[str] = []
    for word in program.words[1:]:
        variable = re.fullmatch(r"\$\{?(\w+)(?::-([^}]*))?\}?", word)
        text = program.variable(variable[1], variable[2] or "") if variable else word
        words += text.split() if variable and text is not None else [word]
    options = []
    for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"):
        options += (program.variable(name) or "").split()
    at = 0
    while at < len(words):
        word = words[at]
        if word in _VALUED and at + 1 < len(words):
            options += words[at : at + 2]
            at += 2
            if word in ("-jar", "-m", "--module"):
                return options, words[at:]
        elif word.startswith(("-", "$", "@")):
            options.append(word)
            at += 1
        else:
            break
    return options, words[at:]


class _Reading:
    def __init__(self, program: Program, read: Read, files: ImageFiles, properties: dict[str, str]) -> None:
        self.program = program
        self.files = files
        signs = signs_of("java")
        self.listings: list[Listing] = []
        self.reckoner = Reckoner(signs.vocabulary, program, lambda listing, name: None, self.listings)
        self.reckoner.properties = {"java.io.tmpdir": "/tmp", "user.dir": program.workdir, "file.separator": "/", **properties}
        self.gathering = Gathering(program, read, signs, self.reckoner)
        self.settings = Settings(program, properties)
        self.libraries: set[str] = set()
        self.logging: list[str] = []
        self.builds: list[str] = []
        self._find()

    def class_path(self, what: str) -> None:
        """Doubt what a class path has beside the program: archives that were not built here."""
        for part in what.split(":"):
            place = posixpath.normpath(posixpath.join(self.program.workdir, part.rstrip("*")))
            if part.endswith(("*", ".jar")) and not self.builds and self.program.files.maker(place)[0] is not self.files:
                self.gathering.doubt(EVERYTHING, f"the archives of `{part}` are not known")

    def _find(self) -> None:
        gathering = self.gathering
        sources, resources, self.builds = build_files(self.files, "/")
        for path in sources:
            origin = self.files.origin(path) or path
            text = self.files.text(path)
            if len(self.listings) >= _MOST_FILES:
                gathering.doubt(EVERYTHING, f"it has more than {_MOST_FILES} source files")
                break
            if not path.endswith((".java", ".kt")) or text is None or len(text) > MAX_CHARACTERS:
                gathering.doubt(EVERYTHING, f"`{origin}` could not be read")
                continue
            self.listings.append(Listing(path, text, origin))
        if not self.listings:
            gathering.doubt(EVERYTHING, "no source of it is among the files of the project")
        for path in resources:
            if posixpath.basename(path).startswith("log"):
                self.logging.append(path)
            else:
                self.settings.read(self.files, path)
        own: set[str] = set()
        for path in self.builds:
            text = self.files.text(path) or ""
            if path.endswith("pom.xml"):
                own |= maven_modules(text)
                found = maven(text)
            else:
                catalog = self.files.text(posixpath.join(posixpath.dirname(path), "gradle/libs.versions.toml"))
                catalog = catalog or self.files.text(posixpath.join(posixpath.dirname(path), "../gradle/libs.versions.toml"))
                found = gradle(text, catalog_of(catalog))
            if found is None:
                gathering.doubt(EVERYTHING, f"`{self.files.origin(path) or path}` names a library in a way that is not read")
            else:
                self.libraries |= found
        self.libraries -= own
        if not self.builds:
            self._imports()

    def _imports(self) -> None:
        """Without a build file, nothing but the JDK and the own packages may be there."""
        packages = {found[1] for listing in self.listings if (found := re.search(r"^\s*package\s+([\w.]+)", listing.text, re.M))}
        for listing in self.listings:
            for name in _IMPORT.findall(listing.text):
                if not name.startswith(_JDK) and not any(name.startswith(package) for package in packages):
                    self.gathering.doubt(EVERYTHING, f"`{listing.origin}` uses `{name}`, a library that is not known")

    def uses(self, options: list[str]) -> Uses:
        gathering, program = self.gathering, self.program
        source = f"{self.listings[0].origin}:1" if self.listings else program.at
        used = use_libraries(gathering, "java", self.libraries, self.libraries, program.at)
        for listing in self.listings:
            self._inject(listing)
        for listing in self.listings:
            gathering.look(listing)
            self._databases(listing)
        if any(_SPRING.match(name) for name in self.libraries):
            self._spring()
        self._logging()
        self._options(options)
        memory = _memory(options, program)
        if memory is None and not any(MEMORY in doubt.about for doubt in gathering.doubts):
            gathering.doubt((MEMORY,), "the largest heap of the JVM, which no option says")
        count = f"{len(self.listings)} source file" + ("s" if len(self.listings) != 1 else "")
        claim = f"{count}{shown(used)}"
        return gathering.uses(Evidence(claim, source, strength_of(used.values())), memory)

    def _inject(self, listing: Listing) -> None:
        """`@Value("${upload.dir:uploads}") String dir`."""
        if "@Value" not in listing.text:
            return
        tokens = listing.tokens
        for index in range(len(tokens) - 4):
            if not (listing.is_sign(index, "@") and listing.name(index + 1) == "Value" and listing.is_sign(index + 2, "(")):
                continue
            close = listing.closes.get(index + 2, -1)
            if close != index + 4 or tokens[index + 3].kind != TEXT:
                continue
            at = close + 1
            while listing.name(at + 1) or listing.is_sign(at + 1, "<", ">"):
                at += 1
            name = listing.name(at)
            if listing.language == "kotlin":
                at = next((one for one in range(close, close + 8) if listing.is_sign(one, ":")), close + 1)
                name = listing.name(at - 1)
            self.reckoner.injected[listing.path, name] = self._setting(tokens[index + 3].text)

    def _setting(self, text: str) -> Values:
        found = re.fullmatch(r"\$\{([^{}:]+)(?::(.*))?\}(.*)", text)
        if not found:
            value = self.settings.expand(text)
            return (Value(value) if value is not None else Value("", False),)
        values = self.settings.get(found[1])
        if not values:
            default = self.settings.expand(found[2]) if found[2] is not None else None
            values = [(default, "")]
        return tuple(Value((text or "") + found[3]) if text is not None else Value("", False) for text, _ in values)

    def _databases(self, listing: Listing) -> None:
        if "jdbc:" in listing.text:
            for index, token in enumerate(listing.tokens):
                if token.kind == TEXT and token.text.startswith("jdbc:"):
                    self._database(token.text, listing.place(index))

    def _database(self, url: str | None, at: str) -> None:
        found = _DATABASE.match(url or "")
        if url is None:
            self.gathering.doubt((WRITES,), f"`{at}` names a database that is not known")
        elif found:
            path = found[1]
            if path.startswith("~") or not path or "mem:" in path:
                if not path.startswith("mem:"):
                    self.gathering.doubt((WRITES,), f"`{at}` keeps a database in the home folder or a computed place")
                return
            folder = posixpath.dirname(posixpath.normpath(posixpath.join(self.program.workdir, path.removeprefix("file:"))))
            self.gathering.write(folder, "data", False, Evidence(f"keeps a database in {folder}", at, Strength.READ))

    def _spring(self) -> None:
        gathering, settings = self.gathering, self.settings
        at = self.program.at
        if any(_WEB.search(name) for name in self.libraries):
            for port, place in settings.get("server.port", "8080"):
                if port is not None and port.isdecimal():
                    gathering.listen(
                        int(port),
                        "tcp",
                        Evidence(f"server.port is {port}" if place else "Spring Boot's port", place or at, Strength.READ),
                    )
                else:
                    gathering.doubt((PORTS,), f"`{place}` sets server.port to what is not known")
            for port, place in settings.get("management.server.port"):
                if port is not None and port.isdecimal():
                    gathering.listen(int(port), "tcp", Evidence(f"management.server.port is {port}", place, Strength.READ))
            temporary = self.reckoner.properties["java.io.tmpdir"]
            folder = settings.get("server.tomcat.basedir", temporary)[0][0] or temporary
            claim = "the server makes its work folder, and keeps uploads, below java.io.tmpdir"
            gathering.write(posixpath.join(self.program.workdir, folder), "scratch", False, Evidence(claim, at, Strength.READ))
        for key, parent in (
            ("logging.file.name", True),
            ("logging.file.path", False),
            ("logging.file", True),
            ("logging.path", False),
            ("spring.servlet.multipart.location", False),
            ("server.tomcat.accesslog.directory", False),
            ("spring.pid.file", True),
            ("server.undertow.accesslog.dir", False),
            ("server.servlet.session.store-dir", False),
        ):
            for text, place in settings.get(key):
                if text is None:
                    gathering.doubt((WRITES,), f"`{place}` sets {key} to what is not known")
                    continue
                path = posixpath.normpath(posixpath.join(self.program.workdir, text))
                path = posixpath.dirname(path) if parent else path
                gathering.write(path, "log" if "log" in key else "", False, Evidence(f"{key} is {text}", place, Strength.READ))
        for text, place in settings.get("spring.datasource.url"):
            if any(":h2" in name or "sqlite" in name or "derby" in name or "hsqldb" in name for name in self.libraries):
                self._database(text, place)
        for path in self.program.files.walk(posixpath.join(self.program.workdir, "config")):
            if re.search(r"application[\w-]*\.(?:properties|ya?ml)$", path):
                gathering.doubt((WRITES, PORTS), f"`{path}` overrides its settings")

    def _logging(self) -> None:
        """Log files that the configuration of Logback or Log4j names."""
        for path in self.logging:
            text = self.files.text(path) or ""
            origin = self.files.origin(path) or path
            text = re.sub(r"<!--.*?-->", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
            if not re.search(r"(?i)file(?:name|appender)?|socket", text):
                continue
            names = {m[1]: m[2] for m in re.finditer(r"<(?:property|Property)\s+name=\"([^\"]+)\"\s+value=\"([^\"]*)\"", text)}
            names |= {m[1]: m[2].strip() for m in re.finditer(r"<Property\s+name=\"([^\"]+)\">([^<]*)<", text)}
            for found in re.finditer(
                r"<file>([^<]*)</file>|<[fF]ileNamePattern>([^<]*)</|\bfile[nN]ame=\"([^\"]*)\"|\.fileName\s*=\s*(\S+)", text
            ):
                said = next(group for group in found.groups() if group is not None).strip()
                place = f"{origin}:{text.count(chr(10), 0, found.start()) + 1}"
                for _ in range(4):
                    said = _put_in(said, names)
                said = said.replace("$${", "${").partition("%")[0] if "${" not in said.partition("%")[0] else said
                if "${" in said or not said:
                    self.gathering.doubt((WRITES,), f"`{place}` logs to a file that is computed")
                    continue
                folder = posixpath.dirname(posixpath.normpath(posixpath.join(self.program.workdir, said + "x")))
                self.gathering.write(folder, "log", False, Evidence(f"logs to {said}", place, Strength.READ))
            if "file-appender.xml" in text or ("include resource" in text and "console" not in text):
                self.gathering.doubt((WRITES,), f"`{origin}` includes an appender that was not read")

    def _options(self, options: list[str]) -> None:
        """What options of the JVM do."""
        gathering, program = self.gathering, self.program
        for option in options:
            if "$" in option:
                gathering.doubt((WRITES, MEMORY, PORTS), f"the options in `{option}`")
            elif option.startswith(("-javaagent:", "-agentpath:")):
                gathering.doubt(EVERYTHING, f"what `{option}` loads")
            elif option.startswith("-agentlib:jdwp"):
                port = re.search(r"address=(?:[^,]*:)?(\d+)", option)
                if port:
                    gathering.listen(int(port[1]), "tcp", Evidence("the debugger listens", program.at, Strength.READ))
            elif option.startswith("-Dcom.sun.management.jmxremote.port="):
                gathering.listen(int(option.rpartition("=")[2] or 0), "tcp", Evidence("JMX listens", program.at, Strength.READ))
            else:
                found = re.match(
                    r"-XX:(?:HeapDumpPath|ErrorFile)=(.+)|-Xloggc:(.+)|-Xlog:.*\bfile=([^:,]+)|-XX:StartFlightRecording.*filename=([^,]+)",
                    option,
                )
                if found:
                    said = next(group for group in found.groups() if group)
                    path = posixpath.normpath(posixpath.join(program.workdir, said))
                    gathering.write(
                        posixpath.dirname(path), "log", False, Evidence(f"{option} writes there", program.at, Strength.READ)
                    )


def _put_in(text: str, names: dict[str, str]) -> str:
    """A text with the properties of a configuration of logging put in."""
    return re.sub(r"\$\{(?:sys:|env:)?(\w+)(?::-([^{}]*))?\}", lambda found: names.get(found[1]) or found[2] or found[0], text)


def _memory(options: list[str], program: Program) -> Memory | None:
    """The heap and a quarter more, with 256 MiB for what is beside it; None where no option says the heap."""
    if any("$" in option for option in options):
        return None
    sizes = [found for option in options if (found := _SIZE.fullmatch(option))]
    if not sizes:
        return None
    heap = int(sizes[-1][1]) * _UNITS[sizes[-1][2].lower()] >> 20
    mib = -(-(heap * 5 // 4 + 256) // 64) * 64
    return Memory(
        mib, f"a heap of {heap} MiB, a quarter more, and what is beside it", Evidence(sizes[-1][0], program.at, Strength.READ), 0
    )
