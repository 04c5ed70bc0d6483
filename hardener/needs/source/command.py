"""Well-known commands: what they write and which privileges they take. Knows no shell, no language and no server.

The facts are data in `commands.toml`; here is only what depends on more than a command's options.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from hardener.finding import Evidence, Strength
from hardener.needs.source.given import CREATES, GIVES, MODES, chown_of
from hardener.needs.source.options import Options, parse
from hardener.needs.source.places import location, place, written
from hardener.needs.source.step_down import STEP_DOWNS, stepped
from hardener.needs.source.uses import (
    EVERYTHING,
    USERS,
    WRITES,
    Capability,
    Doubt,
    Memory,
    Named,
    Program,
    Read,
    Uses,
    merged,
)

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "commands.toml")
_FOLDERS = frozenset(("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/busybox", ""))
#: Programs that start others as they are configured to, each read where it is run.
_DAEMONS = {
    "cron": ("cron", "cron"),
    "crond": ("cron", "cron"),
    "supercronic": ("cron", "supercronic"),
    "crontab": ("cron", "crontab"),
    "supervisord": ("supervisor", "supervisord"),
    "sshd": ("sshd", "sshd"),
}
_ROOT = frozenset(("root", "0", ""))
_MEMORY = 32
#: A mode that lets others in neither to read nor to search, or that sets a set-id or sticky bit.
_CLOSED = re.compile(r"0?[0-7]?[0-7][0-7][0-3]|[a-z,+=-]*(?:o-[a-z]*[rx]|go-|go=|o=(?:,|$))[a-z,+=-]*")
_SET_ID = re.compile(r"0?[2467][0-7]{3}|.*[+=][rwxXt]*s.*")


def reader(program: Program, read: Read) -> Uses | None:
    """What a well-known command does; None for another, and for a file of the project that has the name of one."""
    folder, _, name = program.words[0].rpartition("/")
    if folder not in _FOLDERS or program.files.kind(program.words[0]) == "file":
        return None
    if name in STEP_DOWNS:
        return stepped(program, read)
    if name in _DAEMONS:
        module, function = _DAEMONS[name]
        daemon: Callable[[Program, Read], Uses] = getattr(import_module(f"hardener.needs.source.{module}"), function)
        return daemon(program, read)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(program, read)
    facts = _commands().get(name)
    return None if facts is None else _of(program, read, facts)


def is_known(name: str) -> bool:
    """Whether the table says what a command does."""
    return name in _commands()


@lru_cache(maxsize=1)
def _commands() -> Mapping[str, Mapping[str, Any]]:
    import tomllib

    with open(DATA, "rb") as file:
        tables = tomllib.load(file)["command"]
    return {name: table for table in tables for name in table["names"].split()}


def _of(program: Program, read: Read, facts: Mapping[str, Any]) -> Uses:
    name = program.name
    evidence = Evidence(f"the command `{name}`", program.at, Strength.READ)
    valued = {option for key in ("valued", "outputs", "folders") for option in facts.get(key, "").split()}
    runs = facts.get("runs", "")
    found = parse(program.words[1:], valued, leading=runs == "operands")
    many = [_plain(program, evidence, facts.get("memory", _MEMORY))]
    if not found.has(*facts.get("quiet", "").split()):
        many += _writes(program, facts, found)
    if "config" in facts:
        many.append(written(program, facts["config"].split(), "changes"))
    remote = not facts.get("remote") or any(":" in operand for operand in found.operands)
    if facts.get("home") and remote and not any(facts["no_home"] in word for word in program.words):
        home = program.environment.get("HOME")
        many.append(written(program, [f"{home or '~'}/{facts['home']}"], "notes hosts in"))
    needed = facts.get("capabilities", "").split() if "with" not in facts or found.has(*facts["with"].split()) else ()
    capabilities = tuple(Capability(each, facts["why"], evidence) for each in needed)
    escalates = (Named(name, evidence),) if facts.get("escalates") else ()
    many.append(Uses(evidence, capabilities=capabilities, escalates=escalates, memory=Memory(0, "", evidence)))
    if "unknown" in facts:
        many.append(Uses(evidence, doubts=(Doubt(EVERYTHING, f"{facts['unknown']} ({place(program)})"),)))
    rest: tuple[str, ...] = ()
    if runs == "operands":
        rest = found.operands[facts.get("own", 0) :]
    elif runs == "--" and "--" in program.words:
        rest = program.words[program.words.index("--") + 1 :]
    if rest:
        if facts.get("computed"):
            rest = (*rest, "$()")
        many.append(read(program._replace(words=rest)))
    return merged(_summary(evidence, many), many)


def _writes(program: Program, facts: Mapping[str, Any], found: Options) -> list[Uses]:
    operands = found.operands
    which = {"all": operands, "first": operands[:1], "last": operands[-1:]}
    into = found.values(*facts.get("folders", "").split())
    paths = [*into, *(word for word in found.values(*facts.get("outputs", "").split()) if word != "-")]
    if not into:
        # A number is a file that is open already, a colon stands behind another host.
        other = ":" if facts.get("remote") else "\0"
        paths += [word for word in which.get(facts.get("writes", ""), ()) if not word.isdecimal() and other not in word]
    here = facts.get("here", "")
    if (here == "always" or found.has(*here.split())) and not found.has(*facts.get("not_here", "").split()) and not into:
        paths.append(".")
    many = [written(program, (word for word in paths if word != "-"), "writes")] if paths else []
    if "creates" in facts:
        many.append(written(program, which[facts["creates"]], CREATES))
    return many


def _plain(program: Program, evidence: Evidence, mib: int = _MEMORY) -> Uses:
    memory = Memory(mib, f"`{program.name}`", evidence) if mib else None
    return Uses(evidence, runs=(Named(program.name, evidence),), memory=memory)


def _summary(evidence: Evidence, many: list[Uses]) -> Evidence:
    """The evidence for all of it: that of the program that is run behind the command, too."""
    inner = dict.fromkeys(uses.read for uses in many if uses.read.source not in (evidence.source, ""))
    claim = "; ".join((evidence.claim, *(read.claim for read in inner)))
    return Evidence(claim, evidence.source, min(read.strength for read in (evidence, *inner)))


def _chown(program: Program, read: Read) -> Uses:
    found, account, paths = chown_of(program.words)
    if program.name == "chgrp":
        account = ""
    paths = tuple(path for path in paths if path)
    evidence = Evidence(f"{GIVES} {' '.join(paths)}", program.at, Strength.READ)
    if not paths:
        return _plain(program, evidence)
    names = ["CHOWN"]
    if found.has("-R", "--recursive"):
        # A second start walks folders that are another account's by then.
        names.append("DAC_OVERRIDE")
    users: tuple[Named, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    if "$" in account or account == "?":
        doubts = (Doubt(frozenset((USERS,)), f"to which account {place(program)} gives files"),)
    elif account not in _ROOT:
        users = (Named(program.accounts.get(account, account), evidence),)
    own = _plain(program, evidence)._replace(
        capabilities=tuple(Capability(name, f"gives {' '.join(paths)} to {account or 'a group'}", evidence) for name in names),
        users=users,
        doubts=doubts,
    )
    return merged(evidence, (own, written(program, paths, GIVES)))


def _chmod(program: Program, read: Read) -> Uses:
    words = [word for word in program.words[1:] if not re.fullmatch(r"-[rwxXstugoa]+", word)]
    found = parse(words, frozenset(("--reference",)))
    mode, paths = (found.operands[0], found.operands[1:]) if found.operands else ("", ())
    if len(words) < len(program.words) - 1:
        mode, paths = "", found.operands
    paths = tuple(path for path in paths if path)
    evidence = Evidence(f"{MODES} {' '.join(paths)}", program.at, Strength.READ)
    if not paths:
        return _plain(program, evidence)
    names = ["FOWNER"]
    if found.has("-R", "--recursive") or _CLOSED.fullmatch(mode):
        # What is closed to others can only be walked by its account, once it is another's.
        names.append("DAC_OVERRIDE")
    if _SET_ID.fullmatch(mode):
        names.append("FSETID")
    why = f"changes the mode of {' '.join(paths)}"
    own = _plain(program, evidence)._replace(capabilities=tuple(Capability(name, why, evidence) for name in names))
    return merged(evidence, (own, written(program, paths, MODES)))


_FIND_RUNS = frozenset(("-exec", "-execdir", "-ok", "-okdir"))


def _find(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `find`", program.at, Strength.READ)
    words = program.words[1:]
    start = next(
        (at for at, word in enumerate(words) if word.startswith(("-", "(", "!")) and word not in ("-L", "-H", "-P")), len(words)
    )
    paths = [word for word in words[:start] if not word.startswith("-")] or ["."]
    many = [_plain(program, evidence)]
    if "-delete" in words:
        many.append(written(program, paths, "deletes in"))
    many.append(written(program, [words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("-fprint")], "writes"))
    owns: list[str] = [word for word in ("-user", "-uid", "-group", "-gid", "-nouser", "-nogroup") if word in words]
    for at, word in enumerate(words):
        if word not in _FIND_RUNS:
            continue
        end = next((n for n in range(at, len(words)) if words[n] in (";", "+")), len(words))
        command = words[at + 1 : end]
        for path in paths:
            # What it finds is somewhere in there.
            changed = tuple(part.replace("{}", f"{path.rstrip('/')}/*") for part in command)
            if command[:1] in (("chown",), ("chgrp",), ("chmod",)):
                changed = (changed[0], "-R", *changed[1:])
            many.append(read(program._replace(words=changed)))
            owns = owns or ["-exec"] if command[:1] == ("chown",) else owns
    if owns:
        capability = Capability("DAC_OVERRIDE", "walks folders that belong to another account", evidence)
        many.append(Uses(evidence, capabilities=(capability,), memory=Memory(0, "", evidence)))
    return merged(_summary(evidence, many), many)


def _sed(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `sed`", program.at, Strength.READ)
    found = parse(
        [word for word in program.words[1:] if not word.startswith("-i")], frozenset(("-e", "-f", "--expression", "--file", "-l"))
    )
    edits = any(word.startswith(("-i", "--in-place")) or re.fullmatch(r"-[nErsuz]*i.*", word) for word in program.words[1:])
    given = found.has("-e", "-f", "--expression", "--file")
    scripts = [*found.values("-e", "--expression"), *(() if given else found.operands[:1])]
    many = [_plain(program, evidence)]
    if edits:
        many.append(written(program, found.operands if given else found.operands[1:], "edits"))
    if any(
        re.search(r"(?:^|[;{}\n/0-9$ ])[wW] +\S|/[gpi0-9]*w +\S|/[gpi0-9]*e[gpi]*$", script) for script in scripts
    ) or found.has("-f"):
        many.append(Uses(evidence, doubts=(Doubt(frozenset((WRITES,)), f"what the script of `sed` in {place(program)} writes"),)))
    return merged(evidence, many)


def _awk(program: Program, read: Read) -> Uses:
    evidence = Evidence(f"the command `{program.name}`", program.at, Strength.READ)
    found = parse(program.words[1:], frozenset(("-F", "-v", "-f", "--file", "-i")), leading=True)
    script = found.operands[0] if found.operands else ""
    own = _plain(program, evidence)
    if (
        found.has("-f", "--file", "-i")
        or "system(" in script
        or (re.search(r"(print\b[^;}]*>|\|)\s*[\"a-zA-Z]", script) and "||" not in script)
    ):
        own = own._replace(doubts=(Doubt(EVERYTHING, f"what the script of `{program.name}` in {place(program)} runs or writes"),))
    return own


_TAR_VALUED = frozenset(
    "-C -f -T -X -b -g -F -H -I -K -L -N -V --directory --file --files-from --exclude --exclude-from --transform --owner --group "
    "--mode --mtime --strip-components --use-compress-program --format --listed-incremental --newer".split()
)


def _tar(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `tar`", program.at, Strength.READ)
    words = list(program.words[1:])
    if words and not words[0].startswith("-"):
        # The old way to write options, without a dash; values follow in order, of which only the archive's counts.
        words[0] = "-" + words[0].replace("f", "") + ("f" if "f" in words[0] else "")
    found = parse(words, _TAR_VALUED)
    archive = next((name for name in found.values("-f", "--file") if name != "-"), None)
    many = [_plain(program, evidence, 128)]
    if found.has("-x", "--extract", "--get"):
        many.append(written(program, found.values("-C", "--directory") or (".",), "unpacks into"))
        owner = "" if found.has("-o", "--no-same-owner") else "CHOWN DAC_OVERRIDE FOWNER"
        capabilities = tuple(Capability(name, "unpacks files with their owners and modes", evidence) for name in owner.split())
        many.append(Uses(evidence, capabilities=capabilities, memory=Memory(0, "", evidence)))
    elif archive and not found.has("-t", "--list", "-d", "--diff"):
        many.append(written(program, (archive,), "writes"))
    many.append(written(program, found.values("-g", "--listed-incremental"), "writes"))
    if found.has("--remove-files"):
        many.append(written(program, found.operands, "removes"))
    if found.has("-F", "-I", "--use-compress-program", "--to-command", "--checkpoint-action"):
        many.append(Uses(evidence, doubts=(Doubt(EVERYTHING, f"which program `tar` runs in {place(program)}"),)))
    return merged(evidence, many)


def _dd(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `dd`", program.at, Strength.READ)
    paths = [word[3:] for word in program.words[1:] if word.startswith("of=")]
    return merged(evidence, (_plain(program, evidence, 0), written(program, paths, "writes")))


_IP_READS = frozenset(("show", "list", "ls", "lst", "get", "monitor", "help"))


def _ip(program: Program, read: Read) -> Uses:
    """What `ip` does: `ip addr`, `ip -4 route show` and their kin only read."""
    evidence = Evidence("the command `ip`", program.at, Strength.READ)
    verbs = parse(program.words[1:], frozenset(("-f", "-n", "-netns", "-rc", "-l"))).operands
    if len(verbs) < 2 or verbs[1] in _IP_READS:
        return _plain(program, evidence)
    return _plain(program, evidence)._replace(capabilities=(Capability("NET_ADMIN", "changes the network", evidence),))


#: Services whose scripts in /etc/init.d start one program and do nothing else that counts, in Debian 12.
_SERVICES = {"cron": "cron", "ssh": "/usr/sbin/sshd", "nginx": "nginx", "apache2": "apache2ctl"}


def _service(program: Program, read: Read) -> Uses | None:
    """What `service NAME start` does: it starts the program of the service, where that is one of a few."""
    name, verb = (*program.words[1:], "", "")[:2]
    if name in _SERVICES and verb in ("start", "restart"):
        return read(program._replace(words=(_SERVICES[name],)))
    return _of(program, read, _commands()["service"])


def _ssh_keygen(program: Program, read: Read) -> Uses | None:
    """What `ssh-keygen` does: it writes a key and its public half."""
    facts = _commands()["ssh-keygen"]
    uses = _of(program, read, facts)
    found = parse(program.words[1:], frozenset((*facts["valued"].split(), "-f")))
    if found.has(*facts["quiet"].split()):
        return uses
    keys = found.values("-f")
    paths = ("/etc/ssh",) if found.has("-A") else (*keys, *(f"{key}.pub" for key in keys)) or ("~/.ssh",)
    return merged(uses.read, (uses, written(program, paths, "writes")))


def _sftp(program: Program, read: Read) -> Uses | None:
    """What `sftp` does by its commands: those that a script gives it with `<<<`, or in the file of `-b`."""
    words = program.words
    at = words.index("<<<") if "<<<" in words else len(words)
    facts = _commands()["sftp"]
    uses = _of(program._replace(words=words[:at]), read, facts)
    batch = next(iter(parse(words[1:at], facts["valued"].split()).values("-b")), "-")
    path = location(batch, program) if batch != "-" else None
    text = "\n".join(words[at + 1 :]) if at < len(words) else program.files.text(path) if path else None
    if text is not None and not re.search(r"^\s*-?@?(?:get|reget|mget|!|lmkdir|$)", text, re.MULTILINE):
        return uses
    doubt = Doubt(frozenset((WRITES,)), f"what `sftp` fetches in {place(program)}")
    return uses._replace(doubts=(*uses.doubts, doubt))


_GIT_READS = frozenset(
    "--version version status log diff show rev-parse describe ls-files ls-remote remote branch tag blame".split()
)


def _git(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `git`", program.at, Strength.READ)
    found = parse(program.words[1:], frozenset(("-C", "-c", "--git-dir", "--work-tree")), leading=True)
    verb = found.operands[0] if found.operands else "status"
    own = _plain(program, evidence, 0)
    folder = next(iter(found.values("-C", "--work-tree")), ".")
    if verb in _GIT_READS and len(found.operands) < 3:
        return own
    if verb == "clone":
        operands = parse(
            found.operands[1:], frozenset("-b --branch --depth -o --origin -c --config --reference --filter -j".split())
        ).operands
        into = operands[1] if len(operands) > 1 else "."
        return merged(evidence, (own, written(program, (into,), "clones into")))
    if verb == "config" and "--global" in found.operands:
        return merged(evidence, (own, written(program, ("~/.gitconfig",), "changes")))
    if verb == "config" and "--system" in found.operands:
        return merged(evidence, (own, written(program, ("/etc/gitconfig",), "changes")))
    if verb in ("pull", "fetch", "checkout", "reset", "init", "add", "commit", "push", "config", "submodule", "clean", "gc"):
        # Hooks of the repository, which are programs, come from it alone.
        doubt = Doubt(EVERYTHING - {WRITES}, f"which hooks `git {verb}` runs in {place(program)}")
        return merged(evidence, (own._replace(doubts=(doubt,)), written(program, (folder,), "writes in")))
    return own._replace(doubts=(Doubt(EVERYTHING, f"what `git {verb}` does in {place(program)}"),))


def _dockerize(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `dockerize`", program.at, Strength.READ)
    valued = frozenset(
        "-template -wait -timeout -stdout -stderr -env -env-section -delims -wait-retry-interval -wait-http-header -poll5".split()
    )
    found = parse([word.replace("--", "-", 1) if word != "--" else word for word in program.words[1:]], valued, leading=True)
    targets = [value.partition(":")[2] for value in found.values("-template") if ":" in value]
    many = [_plain(program, evidence), written(program, targets, "writes")]
    if found.operands:
        many.append(read(program._replace(words=found.operands)))
    return merged(_summary(evidence, many), many)


def _date(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `date`", program.at, Strength.READ)
    sets = any(word in ("-s", "--set") or word.startswith("--set=") for word in program.words[1:])
    capabilities = (Capability("SYS_TIME", "sets the clock", evidence),) if sets else ()
    return _plain(program, evidence)._replace(capabilities=capabilities)


def _mktemp(program: Program, read: Read) -> Uses:
    evidence = Evidence("the command `mktemp`", program.at, Strength.READ)
    found = parse(program.words[1:], frozenset(("-p", "--tmpdir", "--suffix")))
    folder = next(iter(found.values("-p", "--tmpdir")), "") or program.environment.get("TMPDIR") or "/tmp"
    path = found.operands[0] if found.operands and not found.has("-p", "-t", "--tmpdir") else f"{folder}/tmp.X"
    where = location(path, program)
    return merged(
        evidence, (_plain(program, evidence), written(program, (os.path.dirname(where) if where else "$",), "writes in"))
    )


_SPECIAL: Mapping[str, Callable[[Program, Read], Uses | None]] = {
    "chown": _chown,
    "chgrp": _chown,
    "chmod": _chmod,
    "find": _find,
    "sed": _sed,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "tar": _tar,
    "bsdtar": _tar,
    "dd": _dd,
    "git": _git,
    "sftp": _sftp,
    "ip": _ip,
    "service": _service,
    "ssh-keygen": _ssh_keygen,
    "dockerize": _dockerize,
    "date": _date,
    "mktemp": _mktemp,
}
