"""What applications in PHP do, for whichever server runs them, and `php` itself. Knows no Apache and no FPM."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from hardener.facts.image_files import ImageFiles
from hardener.finding import Evidence, Strength
from hardener.needs.source.dotenv import with_dotenv
from hardener.needs.source.gathering import Gathering
from hardener.needs.source.libraries import Library, shown, strength_of, use_libraries
from hardener.needs.source.listing import MAX_CHARACTERS, Listing
from hardener.needs.source.signs import signs_of
from hardener.needs.source.tokens import TEXT
from hardener.needs.source.uses import EVERYTHING, MEMORY, PORTS, Doubt, Listen, Memory, Program, Read, Uses, unknown
from hardener.needs.source.values import Reckoner

_MOST_FILES = 400
_SUFFIXES = (".php", ".inc", ".phtml", ".module", ".php5", ".php7")
_ASIDE = re.compile(r"/(?:tests?|Tests|spec|node_modules)/|/database/(?:factories|seeders)/")
_CALLERS = frozenset(
    "array_map array_walk array_filter call_user_func call_user_func_array register_shutdown_function usort".split()
)
_INI = re.compile(
    r"^\s*(?:php_(?:admin_)?value\[?)?\s*(session\.save_(?:path|handler)|upload_tmp_dir)\]?\s*[= ]\s*[\"']?([^\"'\n;]*)",
    re.M,
)
_OFFICIAL = re.compile(r"^(?:php|wordpress|drupal|joomla|nextcloud|matomo|mediawiki|phpmyadmin|composer)$")


def reader(program: Program, read: Read) -> Uses | None:
    """Reads `php -S`, `php script.php` and `php artisan`; None for another program."""
    if not re.fullmatch(r"php\d?(?:\.\d)?", program.name):
        return None
    listen = folder = script = ""
    words = iter(program.words[1:])
    for word in words:
        if word == "-S":
            listen = next(words, "")
        elif word == "-t":
            folder = next(words, "")
        elif word in ("-d", "-c"):
            next(words, "")
        elif not word.startswith("-"):
            script = word
            break
        elif word in ("-r", "-f", "-a"):
            return unknown(f"what `php {word}` runs")
    rest = tuple(words)
    if script == "artisan" and rest[:1] == ("serve",):
        port = next(
            (word.partition("=")[2] for word in rest if word.startswith("--port=")), program.variable("SERVER_PORT", "8000")
        )
        listen = f":{port or ''}"
    elif (not listen and not script) or "$" in script:
        return unknown(f"what `{' '.join(program.words[:3])}` runs")
    place = posixpath.normpath(posixpath.join(program.workdir, folder or posixpath.dirname(script)))
    if not program.files.kind(place) and program.files.kind(posixpath.join(program.workdir, script)) != "file":
        return unknown(f"`{script or place}`, which is not among the files of the project")
    uses = application_uses(
        program.files,
        place,
        program.environment,
        program.at,
        more_environment=program.more_environment,
        read=read,
        web=bool(listen),
    )
    if not listen:
        return uses
    number = listen.rpartition(":")[2]
    if not number.isdecimal():
        return uses._replace(doubts=(*uses.doubts, Doubt(frozenset((PORTS,)), f"the port in `{listen}`")))
    evidence = Evidence(f"listens on port {number}", program.at, Strength.READ)
    return uses._replace(listens=(*uses.listens, Listen(int(number), "tcp", evidence)))


def application_uses(
    files: ImageFiles,
    folder: str,
    environment: Mapping[str, str | None],
    at: str,
    *,
    more_environment: bool = False,
    read: Read | None = None,
    web: bool = True,
) -> Uses:
    """What the PHP files below a folder do when a server, or `php`, runs them: what the server itself needs is not in it.

    `folder` is the document root, or the folder of the script; `environment` as in `Program`; `at` is where it is started.
    """
    root = folder
    while root != "/" and files.kind(posixpath.join(root, "composer.json")) != "file":
        root = posixpath.dirname(root)
    root = folder if root == "/" else root
    program = Program(("php",), folder, environment, more_environment, files, at)
    reading = _Reading(program, read or (lambda other: unknown(f"what `{other.name}` does")), root)
    return reading.uses(web)


class _Reading:
    def __init__(self, program: Program, read: Read, root: str) -> None:
        self.program = program
        self.files = program.files
        self.root = root
        self.listings: list[Listing] = []
        signs = signs_of("php")
        self.reckoner = Reckoner(signs.vocabulary, program, lambda listing, name: None, self.listings)
        self.gathering = Gathering(program, read, signs, self.reckoner)

    def uses(self, web: bool) -> Uses:
        """What all files of the application do."""
        self.program = self.gathering.program = with_dotenv(self.program, self.root, self.program.workdir)
        self._places()
        composer = self._composer()
        for path in self.files.walk(self.root):
            if (
                not path.endswith(_SUFFIXES)
                or _ASIDE.search(path)
                or (composer and path.startswith(f"{self.root.rstrip('/')}/vendor/"))
            ):
                continue
            text, origin = self.files.text(path), self.files.origin(path) or path
            if text is None or len(text) > MAX_CHARACTERS:
                self.gathering.doubt(EVERYTHING, f"`{origin}` could not be read")
            elif len(self.listings) >= _MOST_FILES:
                self.gathering.doubt(EVERYTHING, f"it has more than {_MOST_FILES} source files")
                break
            else:
                self.listings.append(Listing(path, text, origin, language="php"))
        if not self.listings:
            return unknown(f"the application in `{self.program.workdir}`")
        for listing in self.listings:
            self._look(listing, web)
        source = f"{self.listings[0].origin}:1"
        count = f"{len(self.listings)} source file" + ("s" if len(self.listings) != 1 else "")
        claim = f"{count} in PHP{shown(composer or {})}"
        memory = Memory(512, "an application in PHP, with room", Evidence(claim, source, Strength.READ), 0)
        uses = self.gathering.uses(Evidence(claim, source, strength_of((composer or {}).values())), memory)
        return uses._replace(memory=None) if uses.open(MEMORY) else uses

    def _look(self, listing: Listing, web: bool) -> None:
        # A page finds relative paths from its own folder, or from that of the page which includes it.
        folders = {self.program.workdir, listing.folder} if web else {self.program.workdir}
        for folder in sorted(folders):
            self.reckoner.program = self.program._replace(workdir=folder)
            self.gathering.look(listing)
        for index, token in enumerate(listing.tokens):
            if token.kind != TEXT or not listing.is_sign(index - 1, "(") or listing.name(index - 2).lower() not in _CALLERS:
                continue
            if token.text.lower() in self.gathering.signs.by_word:
                self.gathering.doubt(EVERYTHING, f"`{listing.place(index)}` hands on `{token.text}`")

    def _composer(self) -> dict[str, Library | None] | None:
        text = self.files.text(posixpath.join(self.root, "composer.json"))
        if text is None:
            return None
        import json

        try:
            data = json.loads(text)
            names = set(data.get("require") or ())
        except (ValueError, AttributeError, TypeError):
            self.gathering.doubt(EVERYTHING, "`composer.json` could not be read")
            return {}
        here = self.gathering.program
        self.gathering.program = here._replace(workdir=self.root)
        found = use_libraries(self.gathering, "php", names, names, here.at)
        self.gathering.program = here
        return found

    def _places(self) -> None:
        """Where PHP keeps sessions and uploads: /tmp unless a `php.ini` says so; not known where the image's own is not."""
        settings: dict[str, str] = {}
        for path in self.files.walk("/"):
            if path.endswith((".ini", ".conf", ".htaccess")) and not path.startswith(self.root + "/vendor"):
                settings |= {key: value.strip() for key, value in _INI.findall(self.files.text(path) or "")}
        stage = self.files.stage
        official = stage is not None and stage.image is not None and bool(_OFFICIAL.match(stage.image.familiar))
        default = {"@sessions": "/tmp", "@uploads": "/tmp"} if official else {}
        if settings.get("session.save_path"):
            default["@sessions"] = settings["session.save_path"].rpartition(";")[2]
        if settings.get("session.save_handler", "files") != "files":
            default["@sessions"] = "/dev/null"
        if settings.get("upload_tmp_dir"):
            default["@uploads"] = settings["upload_tmp_dir"]
        self.reckoner.properties = {
            **default,
            "@storage": posixpath.join(self.root, "storage"),
            "@base": self.root,
            "@public": posixpath.join(self.root, "public"),
            "@root": self.program.workdir + "/",
        }
