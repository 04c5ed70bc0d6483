"""Apache's configuration: what it listens on, whom it becomes and what it writes. Knows no package and no container.

What the directives mean was read in apache/httpd 0cb680442ecaa6118cc610b5ecc6e824330bf61a: modules/arch/unix/mod_unixd.c,
os/unix/unixd.c, server/mpm_unix.c and server/mpm/prefork; the folder's set-up in Debian's apache2ctl 2.4.71-1~deb12u1.
"""

from __future__ import annotations

import posixpath
import re

from hardener.needs.source.server import Configured, Server, matching, text_of
from hardener.needs.source.uses import ESCALATION, EVERYTHING, MEMORY, THREADS, WRITES, Doubt, Program

_LINE = re.compile(r"^[ \t]*<?([A-Za-z]\w*)[ \t]+([^\n>]*)", re.MULTILINE)
_WORD = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WRITTEN = frozenset(
    "pidfile scriptlog cacheroot davlockdb defaultruntimedir scoreboardfile coredumpdirectory rewritelog".split()
)
_LOGS = frozenset(("errorlog", "customlog", "transferlog", "globallog"))
#: Modules that run the project's own programs or code.
_CODE = re.compile(r"(?:mod_)?(php[0-9.]*|perl|wsgi|cgid?|fcgid|passenger|lua|ext_filter|python)\b")


def configured(program: Program, server: Server) -> Configured:
    """What Apache does, by the files that the project lays into its folder, and by the package's for the others."""
    values = {
        "APACHE_RUN_USER": server.facts["account"],
        "APACHE_RUN_GROUP": server.facts["account"],
        "APACHE_PID_FILE": server.facts["pid"],
        "APACHE_RUN_DIR": server.words("run")[0],
        "APACHE_LOCK_DIR": server.words("run")[1],
        "APACHE_LOG_DIR": server.facts["logs"],
    }
    values |= {name: value for name, value in program.environment.items() if value is not None and name not in values}
    account, ports = server.facts["account"], [(port, "tcp") for port in server.facts["listens"]]
    paths: list[str] = [server.facts["pid"], server.facts["logs"], *server.words("run")]
    doubts: list[Doubt] = []
    capabilities = [("KILL", "ends workers that run as another account"), ("CHOWN", "gives folders in /run to its workers")]
    at = program.at
    for path in matching(program, server.words("includes")):
        found = text_of(program, path)
        if found is None:
            doubts.append(Doubt(EVERYTHING, f"what {path} says, which could not be read"))
            continue
        text, at = found
        if path.endswith("/ports.conf"):
            ports = []
        for match in _LINE.finditer(text.replace("\\\n", " ")):
            name = match[1].lower()
            line = _VARIABLE.sub(lambda m: values.get(m[1], m[0]), match[2])
            words = [quoted or plain for quoted, plain in _WORD.findall(line)]
            if not words:
                continue
            first = words[0]
            if name == "listen":
                port = first.rpartition(":")[2]
                ports += [(int(port), "tcp")] if port.isdecimal() and len(port) < 6 else []
            elif name == "user":
                account = first
            elif name in _WRITTEN or (name in _LOGS and not first.startswith(("syslog", "|"))):
                paths.append(posixpath.join(server.facts["prefix"], first))
            elif name in _LOGS and first.startswith("|"):
                doubts.append(Doubt(EVERYTHING, f"what `{first}` does, which Apache pipes its log to in {at}"))
            elif name == "mutex" and ":" in first:
                paths.append(first.partition(":")[2])
            elif name == "chrootdir":
                capabilities.append(("SYS_CHROOT", f"shuts itself into {first}"))
            elif name in ("loadmodule", "loadfile", "include", "includeoptional"):
                doubts += _loaded(name, words, path, at)
    stage = program.files.stage
    packages = stage.packages if stage is not None else frozenset()
    enabled = [word for run in (stage.commands if stage is not None else ()) if run.name == "a2enmod" for word in run.known]
    code = [
        word
        for word in (*(p.removeprefix("libapache2-mod-") for p in packages if "libapache2-mod-" in p), *enabled)
        if _CODE.match(word)
    ]
    if code:
        text = f"what the code does that Apache runs by {code[0]}"
        doubts.append(Doubt(frozenset((WRITES, ESCALATION, MEMORY, THREADS)), text))
    if any(run.name in ("a2enconf", "a2ensite", "sed") for run in (stage.commands if stage is not None else ())) and not ports:
        ports = [(80, "tcp")]
    return Configured(at, tuple(dict.fromkeys(paths)), tuple(ports), account, tuple(capabilities), tuple(doubts))


def _loaded(name: str, words: list[str], path: str, at: str) -> list[Doubt]:
    if name.startswith("include"):
        inside = words[0].startswith("/etc/apache2/") or not words[0].startswith("/")
        return [] if inside else [Doubt(EVERYTHING, f"what {words[0]} says, which Apache includes in {at}")]
    module = posixpath.basename(words[-1])
    if module.startswith("mod_") and not _CODE.match(module):
        return []
    return [Doubt(frozenset((WRITES, ESCALATION, MEMORY, THREADS)), f"what the module {module} of Apache does")]
