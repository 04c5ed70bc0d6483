"""`harden.evidence.yaml`: what runs on a real engine showed of a project's services. Knows its format, no engine and no rule.

The file lies beside the Compose file; people may read it, and mend it:

    version: 1
    services:
      web:
        seen:                        # what it was seen with: the facts hold as long as all of this is the same
          image: redis:7             # or, for an image that is built here, `files`
          files:                     # what was built from, by its path from here
            web/Dockerfile: sha256:...
          user: "999:999"            # each may be left out where nothing is written: user, entrypoint, command, mounts
          entrypoint: [tini, --]
          command: [redis-server]
          mounts: [/data]
          target: runtime            # the stage of the Dockerfile that it is
          host-network: true
          environment: [MODE]        # the names; values may be secrets. Not compared where this is left out
          digest: sha256:...         # of the image; for people, and not compared
        engine: Docker 28.1, rootless    # where it was seen; said in the report
        user: "999:999"              # whom it was started as while it worked, where that is not whom it is started as anyway
        capabilities: [CHOWN]        # what it did with beside a dropped ALL; [] for none; `CHOWN: why` where a reason is known
        read-only: true              # with `tmpfs`, by path with the owner of each, and `,exec` where programs start there
        tmpfs: {/tmp: "999:999"}
        no-new-privileges: true
        memory: 256                  # MiB that were enough
        cpus: "1.0"
        pids: 64
        failed:                      # fixes that it did not work with, by the rule, and what was seen then
          unlimited-memory: killed at 64 MiB

A service whose circumstances changed since has stale facts: they are not used, and the report says what changed. The `user`
that it worked as is no change: it is what the fix writes. `hardener.needs.record_file` writes such a file.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from hardener.errors import Unreadable
from hardener.facts.container import Container, capability
from hardener.facts.tree import Tree
from hardener.finding import Evidence, Strength
from hardener.needs.needs import Limit, NeededCapability, Needs, Tmpfs, WorkedAs
from hardener.needs.profile import EVERYWHERE, Verdict
from hardener.needs.proven import Proven
from hardener.record import NamedTuple
from hardener.source import Source
from hardener.syntax.yaml import Mapping as MappingNode
from hardener.syntax.yaml import Node, Scalar, Sequence, YamlError, parse

FILE = "harden.evidence.yaml"
VERSION = "1"
_REMEDY = "mend it, or run with --no-evidence"
#: What may stand under `seen`, in the order in which it is written.
CIRCUMSTANCES: dict[str, type] = {
    "image": str,
    "target": str,
    "files": dict,
    "user": str,
    "entrypoint": list,
    "command": list,
    "mounts": list,
    "environment": list,
    "host-network": bool,
    "digest": str,
}
_KINDS: dict[object, str] = {str: "text", list: "list of texts", dict: "mapping of texts", bool: "true or false"}
_FACTS = frozenset(("user", "capabilities", "read-only", "tmpfs", "no-new-privileges", "memory", "cpus", "pids", "failed"))
#: Among the files of an image: a Dockerfile that stands in the Compose file itself.
INLINE = "dockerfile_inline"
#: The one rule with two fixes, in the Dockerfile and at the service: a service may fail with one and work with the other.
_ROOT_USER = "root-user"
_ROOT = ("", "0", "root")

#: All that Linux has (uapi/linux/capability.h): what is none would be left out without a word.
_CAPABILITIES = frozenset(
    "AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID "
    "IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW "
    "PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE "
    "SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM".split()
)


class Recorded(NamedTuple):
    """What runs proved of one service.

    `seen` is what it was seen with, as the file has it: texts, lists or mappings of texts, and True or False; empty for a
    trial that is going on, which is about the service as it is now. `engine` says where it was seen.
    """

    seen: Mapping[str, Any]
    proven: Proven
    evidence: Evidence
    engine: str = ""


def of_trial(proven: Mapping[str, Proven], engine: str = "") -> Mapping[str, Recorded]:
    """What a trial that is going on proved, by service, as a record of it."""
    evidence = Evidence(f"held in a run on {engine}" if engine else "held in a run", "this trial", Strength.OBSERVED)
    return {service: Recorded({}, values, evidence, engine) for service, values in proven.items()}


def recorded(folder: str, tree: Tree) -> Mapping[str, Recorded]:
    """What the file of a folder says, by service; nothing where there is none.

    Raises `Unreadable` for one that is not well formed.
    """
    location = os.path.join(folder, FILE)
    source = tree(location)
    if source is None:
        if os.path.isfile(location):
            raise Unreadable(os.path.relpath(location), "it is no text, or leads out of the project", _REMEDY)
        return {}
    key = (recorded, source.path, source.text)
    if key not in tree.concluded:
        tree.concluded[key] = dict(_Reader(source).read())
    found: Mapping[str, Recorded] = tree.concluded[key]
    return found


def circumstances(container: Container, tree: Tree) -> Mapping[str, Any]:
    """What a container is seen with, to be kept as `Recorded.seen`; what is empty is left out, but for the environment.

    Of an image that is built here: its Dockerfile, and the files of the project that its entrypoint and command name.
    """
    now = {**_settings(container), "environment": sorted(container.environment), "files": _files(container, tree)}
    return {what: value for what, value in now.items() if value or what == "environment"}


def _settings(container: Container) -> dict[str, Any]:
    return {
        "image": container.image_text,
        "target": container.build.target if container.build else "",
        "user": container.user.effective,
        "entrypoint": list(container.entrypoint or ()),
        "command": list(container.command or ()),
        "mounts": sorted(mount.target for mount in container.mounts),
        "host-network": container.host_network.effective,
    }


def _files(container: Container, tree: Tree) -> dict[str, str]:
    """The digests of the files that an image is built from and starts with, by their paths from the Compose file."""
    if container.build is None:
        return {}
    if container.build.inline:
        found = {INLINE: _digest(container.build.inline.encode())}
    else:
        source = tree(container.build.dockerfile) if container.build.dockerfile else None
        found = {} if source is None else {_from(container.build.dockerfile, container): digest_of(source)}
    for location in _scripts(container, tree):
        source = tree(location)
        if source is not None:
            found[_from(location, container)] = digest_of(source)
    return found


def _scripts(container: Container, tree: Tree) -> Iterator[str]:
    """Where the files of the project lie that the entrypoint and the command name."""
    from hardener.facts.built import BuiltImage
    from hardener.needs.built import image_of

    image = image_of(container, tree)
    if not isinstance(image, BuiltImage):
        return
    folder = container.workdir or image.stage.workdir or "/"
    for asked, item in (
        (container.entrypoint, image.stage.last("ENTRYPOINT")),
        (container.command, image.stage.last("CMD")),
    ):
        words = asked if asked is not None else item.values if item is not None else ()
        for word in (part for text in words for part in text.split()):
            path = posixpath.normpath(posixpath.join(folder, word))
            if image.files.kind(path) == "file" and (origin := image.files.origin(path)):
                yield os.path.abspath(origin)


def _from(location: str, container: Container) -> str:
    return os.path.relpath(location, container.folder or ".").replace(os.sep, "/")


def stale(record: Recorded, container: Container, tree: Tree) -> str:
    """What is no longer as it was seen; empty when everything is.

    Where it worked as another user, both are right: the one that it had, and the one that the fix gives it.
    """
    for what, value in _settings(container).items():
        said = record.seen.get(what, type(value)())
        same = (sorted(said) if what == "mounts" else said) == value
        if not same and not (what == "user" and value and value == record.proven.user):
            return f"`{what}` has changed"
    if "environment" in record.seen:
        before, now = set(record.seen["environment"]), set(container.environment)
        # Of a file that is not here, it is not known which names it has.
        if now - before or (before - now and not container.missing_env_files):
            return "`environment` has changed"
    files: Mapping[str, str] = record.seen.get("files", {})
    if container.build is not None and not files:
        return "it does not say which files the image was built from"
    for path, digest in files.items():
        if path == INLINE:
            same = container.build is not None and _digest(container.build.inline.encode()) == digest
        else:
            source = tree(os.path.normpath(os.path.join(container.folder, path)))
            same = source is not None and digest_of(source) == digest
        if not same:
            return f"{path} has changed"
    if container.build is not None:
        name = INLINE if container.build.inline else _from(container.build.dockerfile, container)
        if (container.build.inline or container.build.dockerfile) and name not in map(posixpath.normpath, files):
            return f"it is built from {name} now"
    return ""


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(source: Source) -> str:
    """How the file names the content of another file."""
    return _digest(source.to_bytes())


def with_record(needs: Needs, record: Recorded) -> Needs:
    """The needs of a container, with what was seen of it in the place of what was read or is only usual."""
    proven, evidence = record.proven, record.evidence
    new: dict[str, Any] = {"failed": proven.failed}
    if proven.capabilities is not None:
        new["capabilities"] = tuple(
            NeededCapability(name, why or "seen to be needed in a run", evidence)
            for name, why in sorted(proven.capabilities.items())
        )
        new["no_more_capabilities"] = evidence
    if proven.read_only is not None:
        new["read_only"] = _verdict(proven.read_only, evidence)
        new["tmpfs"] = tuple(_tmpfs(path, owner, evidence) for path, owner in sorted(proven.tmpfs.items()))
    if proven.no_new_privileges is not None:
        new["no_new_privileges"] = _verdict(proven.no_new_privileges, evidence)
    for what, amount in (("memory", proven.memory), ("cpu", proven.cpus), ("pids", proven.pids)):
        if amount is not None:
            new[what] = Limit(float(amount), "enough in a run", evidence)
    if proven.user.partition(":")[0] not in _ROOT:
        uid, _, gid = proven.user.partition(":")
        new["worked_as"] = WorkedAs(int(uid), int(gid or 0), evidence)
        new["failed"] = {rule: what for rule, what in proven.failed.items() if rule != _ROOT_USER}
    asked = ("capabilities", "read_only", "no_new_privileges", "memory", "cpu", "pids")
    unknown = dict(needs.unknown) if needs.holds else dict.fromkeys(asked, needs.why_not)
    unknown = {question: why for question, why in unknown.items() if question not in new}
    return needs._replace(holds=True, why_not="", unknown=unknown, **new)


def _verdict(works: bool, evidence: Evidence) -> Verdict:
    return Verdict(EVERYWHERE, works, "" if works else "it failed in a run", evidence)


def _tmpfs(path: str, owner: str, evidence: Evidence) -> Tmpfs:
    numbers, _, more = owner.partition(",")
    uid, _, gid = numbers.partition(":")
    return Tmpfs(path, int(uid or 0), int(gid or 0), more == "exec", "", evidence)


class _Reader:
    """Reads one file strictly: a slip of the pen is named with its line."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self) -> Iterator[tuple[str, Recorded]]:
        """Each service with what was seen of it."""
        try:
            documents = parse(self._source.text).documents
        except YamlError as error:
            raise Unreadable(self._source.path, error.reason, _REMEDY, error.line) from None
        root = documents[0].root if documents else None
        top = self._mapping(root, "version and services")
        version = self._value(top.get("version", root))
        if version != VERSION:
            self._fail(top.get("version", root), f"version {version!r} is not known: this harden reads version {VERSION}")
        for name, node in self._mapping(top.get("services"), "services").items():
            yield name, self._service(name, node)

    def _service(self, name: str, node: Node) -> Recorded:
        keys = self._mapping(node, name)
        self._known(keys, _FACTS | {"seen", "engine"})
        if "seen" not in keys:
            self._fail(node, f"{name} does not say what it was seen with")
        seen = self._mapping(keys["seen"], "seen")
        self._known(seen, CIRCUMSTANCES)
        told = {key: self._kind(item, key, CIRCUMSTANCES[key]) for key, item in seen.items()}
        line = self._source.position(node.start).line
        engine = self._kind(keys["engine"], "engine", str) if "engine" in keys else ""
        claim = f"seen in a run on {engine}" if engine else "seen in a run"
        evidence = Evidence(claim, f"{self._source.path}:{line}", Strength.OBSERVED)
        return Recorded(told, self._proven(keys), evidence, engine)

    def _proven(self, keys: Mapping[str, Node]) -> Proven:
        facts: dict[str, Any] = {}
        for key in ("memory", "pids"):
            if key in keys:
                facts[key] = self._amount(keys[key], key, float_too=False)
        if "cpus" in keys:
            facts["cpus"] = self._amount(keys["cpus"], "cpus", float_too=True)
        for key in ("read-only", "no-new-privileges"):
            if key in keys:
                facts[key.replace("-", "_")] = self._kind(keys[key], key, bool)
        if "user" in keys:
            facts["user"] = self._kind(keys["user"], "user", str)
            if not _is_owner(facts["user"]):
                self._fail(keys["user"], 'user is written as "uid:gid", in numbers')
        if "capabilities" in keys:
            facts["capabilities"] = self._capabilities(keys["capabilities"])
        if "tmpfs" in keys:
            facts["tmpfs"] = self._kind(keys["tmpfs"], "tmpfs", dict)
            for path, owner in facts["tmpfs"].items():
                if not path.startswith("/"):
                    self._fail(keys["tmpfs"], f"the tmpfs {path!r} is not absolute")
                if not _is_owner(owner.removesuffix(",exec")):
                    self._fail(keys["tmpfs"], 'the owner of a tmpfs is written as "uid:gid", or "uid:gid,exec"')
        if "failed" in keys:
            facts["failed"] = self._kind(keys["failed"], "failed", dict)
        return Proven(**facts)

    def _capabilities(self, node: Node) -> dict[str, str]:
        if isinstance(node, MappingNode):
            written: Mapping[str, str] = self._kind(node, "capabilities", dict)
        elif isinstance(node, Sequence):
            written = dict.fromkeys(self._kind(node, "capabilities", list), "")
        else:
            self._fail(node, "capabilities is a list of texts, or a mapping of texts")
        found = {capability(name): why for name, why in written.items()}
        strange = next((name for name in found if name not in _CAPABILITIES), "")
        if strange:
            self._fail(node, f"{strange} is no capability")
        return found

    def _amount(self, node: Node, key: str, *, float_too: bool) -> int | float:
        text = self._value(node)
        parts = text.split(".") if isinstance(text, str) and float_too else [text]
        if len(parts) > 2 or not all(map(_is_number, parts)) or not float(text):
            self._fail(node, f"{key} is a {'' if float_too else 'whole '}number above 0")
        return float(text) if float_too else int(text)

    def _kind(self, node: Node, key: str, kind: type) -> Any:
        """The value of a node, which must be of a kind, with nothing but texts in it."""
        value = self._value(node)
        if kind is bool:
            if value not in ("true", "false"):
                self._fail(node, f"{key} is true or false")
            return value == "true"
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if type(value) is not kind or not all(isinstance(item, str) for item in inside):
            self._fail(node, f"{key} is a {_KINDS[kind]}")
        return value

    def _known(self, keys: Mapping[str, Node], known: Iterable[str]) -> None:
        for key, node in keys.items():
            if key not in known:
                self._fail(node, f"{key!r} is not among {', '.join(sorted(known))}")

    def _mapping(self, node: Node | None, what: str) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self._fail(node, f"{what} must be a mapping")
        return {pair.key.value: pair.value for pair in node.pairs if isinstance(pair.key, Scalar)}

    def _value(self, node: Node | None) -> Any:
        if isinstance(node, Scalar):
            return node.value
        if isinstance(node, Sequence):
            return [self._value(item) for item in node.items]
        if isinstance(node, MappingNode):
            return {key: self._value(item) for key, item in self._mapping(node, "").items()}
        return ""

    def _fail(self, node: Node | None, reason: str) -> NoReturn:
        line = self._source.position(node.start).line if node is not None else 1
        raise Unreadable(self._source.path, reason, _REMEDY, line)


def _is_number(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) <= 10


def _is_owner(text: str) -> bool:
    return text.count(":") == 1 and all(map(_is_number, text.split(":")))
