"""What programs in Ruby do: scripts, and applications of Rack and Rails. Knows no gem."""

from __future__ import annotations

import posixpath
import re

from hardener.finding import Evidence, Strength
from hardener.needs.source.dotenv import with_dotenv
from hardener.needs.source.gathering import Gathering
from hardener.needs.source.libraries import shown, strength_of, use_libraries
from hardener.needs.source.listing import MAX_CHARACTERS, Listing
from hardener.needs.source.places import is_inside
from hardener.needs.source.signs import signs_of
from hardener.needs.source.uses import EVERYTHING, MEMORY, PORTS, WRITES, Memory, Program, Read, Uses, Write, unknown
from hardener.needs.source.values import Reckoner

_MOST_FILES = 400
#: Servers of applications, with the port that each listens on unless it is told.
_SERVERS = {"rails": 3000, "rackup": 9292, "puma": 9292, "thin": 3000, "sidekiq": 0}
_ASIDE = re.compile(
    r"/(?:spec|test|tests|features|vendor|node_modules|db/migrate|db/schema\.rb|db/seeds\.rb)(?:/|$)|/config/environments/(?:test|development)\.rb$"
)
_GEM = re.compile(r"^\s*gem[\s(]+[\"']([^\"']+)[\"'](.*)$", re.M)
_GROUP = re.compile(r"^(\s*)group\b([^\n]*)\bdo\s*$(.*?)^\1end\b", re.M | re.S)


def reader(program: Program, read: Read) -> Uses | None:
    """Reads `ruby app.rb`, `rails server`, `puma`, `rackup` and `sidekiq`, also behind `bundle exec`; None for another."""
    words = list(program.words)
    if program.name == "bundle" and len(words) > 2 and words[1] == "exec":
        words = words[2:]
    name = words[0].rpartition("/")[2]
    script, port = "", 0
    if name == "ruby":
        script = next((word for word in words[1:] if not word.startswith("-")), "")
        if not script or "$" in script or any(word in ("-e", "-r") for word in words):
            return unknown(f"what `{' '.join(words[:3])}` runs")
        rest = words[words.index(script) + 1 :]
        if posixpath.basename(script) in ("rails", "puma", "rackup"):
            name, words = posixpath.basename(script), [script, *rest]
    if name in _SERVERS:
        port = _SERVERS[name]
        if name == "rails" and words[1:2] not in (["server"], ["s"]):
            return unknown(f"what `{' '.join(words[:3])}` does")
    elif name != "ruby":
        return None
    reading = _Reading(program, read)
    return reading.uses(words, script if name == "ruby" else "", port, name)


class _Reading:
    def __init__(self, program: Program, read: Read) -> None:
        self.program = program
        self.files = program.files
        self.listings: list[Listing] = []
        signs = signs_of("ruby")
        self.reckoner = Reckoner(signs.vocabulary, program, lambda listing, name: None, self.listings)
        self.reckoner.properties = {"@root": program.workdir}
        self.gathering = Gathering(program, read, signs, self.reckoner)

    def uses(self, words: list[str], script: str, port: int, name: str) -> Uses:
        """What all files of the application do."""
        gathering, program = self.gathering, self.program
        root = program.workdir
        if script:
            path = posixpath.normpath(posixpath.join(root, script))
            if self.files.kind(path) != "file":
                return unknown(f"`{script}`, which is not among the files of the project")
            if not path.startswith(root.rstrip("/") + "/") or root == "/":
                root = posixpath.dirname(path)
        for path in self.files.walk(root):
            if not (path.endswith((".rb", ".ru", ".rake")) or posixpath.basename(path) == "Rakefile") or _ASIDE.search(path):
                continue
            text, origin = self.files.text(path), self.files.origin(path) or path
            if text is None or len(text) > MAX_CHARACTERS:
                gathering.doubt(EVERYTHING, f"`{origin}` could not be read")
            elif len(self.listings) >= _MOST_FILES:
                gathering.doubt(EVERYTHING, f"it has more than {_MOST_FILES} source files")
                break
            else:
                self.listings.append(Listing(path, text, origin, language="ruby"))
        if not self.listings:
            return unknown(f"the application in `{root}`")
        gems = self._gems(root)
        if any(gem.startswith("dotenv") for gem in gems):
            self.program = with_dotenv(self.program, root)
            self.reckoner.program = gathering.program = self.program
        libraries = use_libraries(gathering, "ruby", gems, gems, program.at)
        for listing in self.listings:
            gathering.look(listing)
        if "rails" in gems:
            self._rails(root)
        self._port(words, port or (4567 if "sinatra" in gems and script else 0))
        source = f"{self.listings[0].origin}:1"
        count = f"{len(self.listings)} source file" + ("s" if len(self.listings) != 1 else "")
        claim = f"{count} in Ruby{shown(libraries)}"
        memory = Memory(512, "a service in Ruby, with room", Evidence(claim, source, Strength.READ))
        if name in ("puma", "rails") and (any("workers" in one.text for one in self.listings) or "-w" in words):
            gathering.doubt((MEMORY,), "how many worker processes there are")
        uses = gathering.uses(Evidence(claim, source, strength_of(libraries.values())), memory)
        uses = uses._replace(writes=tuple(_particular(write) for write in uses.writes))
        return uses._replace(memory=None) if uses.open(MEMORY) else uses

    def _gems(self, root: str) -> set[str]:
        """The gems of the Gemfile but those for tests; without one, what is required must be there, and is not known."""
        text = self.files.text(posixpath.join(root, "Gemfile"))
        if text is None:
            own = {posixpath.basename(listing.path).removesuffix(".rb") for listing in self.listings}
            required = {
                name for listing in self.listings for name in re.findall(r"^\s*require\s+[\"']([^\"'/]+)", listing.text, re.M)
            }
            return {name for name in required if name not in own and name not in _STANDARD}
        if re.search(r"^\s*gemspec\b|^\s*eval_gemfile\b", text, re.M):
            self.gathering.doubt(EVERYTHING, "the Gemfile names gems elsewhere")
        text = _GROUP.sub(lambda found: found[0] if "production" in found[2] else "", text)
        return {
            name
            for name, rest in _GEM.findall(text)
            if not re.search(r"group[s]?:?\s*(?:=>)?\s*\[?\s*:(?:test|development)", rest)
        }

    def _rails(self, root: str) -> None:
        gathering, at = self.gathering, self.program.at
        log = self.program.variable("RAILS_LOG_TO_STDOUT")
        texts = [listing.text for listing in self.listings if listing.path.endswith("/config/environments/production.rb")]
        if not log and not any(re.search(r"^\s*config\.logger\s*=.*STDOUT", text, re.M) for text in texts):
            gathering.write(f"{root}/log", "log", False, Evidence("Rails logs to files", at, Strength.DOCUMENTED))
        gathering.write(f"{root}/tmp", "scratch", False, Evidence("Rails keeps pids and caches in tmp", at, Strength.DOCUMENTED))
        if any(re.search(r"^\s*config\.active_storage\.service\s*=\s*:local", text, re.M) for text in texts):
            gathering.write(f"{root}/storage", "data", False, Evidence("Active Storage is local", at, Strength.READ))
        database = self.files.text(f"{root}/config/database.yml") or ""
        if "sqlite3" in database:
            gathering.doubt((WRITES,), "where the database of SQLite is")

    def _port(self, words: list[str], port: int) -> None:
        said: str | None = str(port) if port else ""
        for at, word in enumerate(words):
            found = re.match(r"(?:-p|--port=?)(\d+)$|(?:tcp://)?[\d.]+:(\d+)$", word)
            if found:
                said = found[1] or found[2]
            elif word in ("-p", "--port") and at + 1 < len(words):
                said = words[at + 1]
        for listing in self.listings:
            if not listing.path.endswith("/config/puma.rb"):
                continue
            for index in range(len(listing.tokens)):
                if listing.name(index) == "port" and not listing.is_sign(index - 1, ".", ","):
                    values = self.reckoner.value(listing, index + 1, listing.expression_end(index + 1))
                    said = values[0].text if len(values) == 1 and values[0].whole else None
        if said and said.isdecimal():
            evidence = Evidence(f"listens on port {said}", self.program.at, Strength.READ)
            self.gathering.listen(int(said), "tcp", evidence)
        elif said != "":
            self.gathering.doubt((PORTS,), "the port of the server")


def _particular(write: Write) -> Write:
    """`Dir.tmpdir` passes over what everybody may write without a sticky bit, and fails where that leaves nothing.

    Read in ruby/ruby fee4f9f3de4f0505c0bb6a0ccbf8ee04c325fe7b: lib/tmpdir.rb.
    """
    return write._replace(refused_by="Ruby") if is_inside(write.path, "/tmp") else write


#: Libraries that come with Ruby.
_STANDARD = frozenset(
    "json yaml set time date uri erb csv logger socket securerandom digest fileutils tempfile tmpdir pathname optparse open3"
    " English net/http open-uri openssl base64 bigdecimal benchmark cgi delegate forwardable ostruct pp singleton stringio"
    " strscan timeout zlib io/console etc monitor observer thread psych".split()
)
