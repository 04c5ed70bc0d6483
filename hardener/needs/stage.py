"""What a stage of a Dockerfile needs to keep working: how it starts, what it writes, whether it must be root. Knows no rule."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from hardener.facts.dockerfile import DockerStage, Start
from hardener.needs.bases import Base, find_base
from hardener.needs.handover import Handover, Workload, handover
from hardener.needs.stage_writes import Written, code_of, written_in
from hardener.syntax.dockerfile.variables import left_to_the_base

#: The families beside those of `bases.toml`.
SCRATCH, WINDOWS, UNKNOWN = "scratch", "windows", ""

_STEP_DOWN = frozenset("gosu su-exec setpriv s6-setuidgid s6-applyuidgid runuser chpst setuidgid su".split())
#: Servers whose first process is root on purpose: it opens what only root may and works as another user.
_OWN_STEP_DOWN = {
    "nginx": "nginx",
    "openresty": "nginx",
    "apache2": "Apache",
    "apache2ctl": "Apache",
    "apachectl": "Apache",
    "apache2-foreground": "Apache",
    "httpd": "Apache",
    "httpd-foreground": "Apache",
    "php-fpm": "PHP-FPM",
    "mysqld_safe": "MySQL",
    "varnishd": "Varnish",
    "squid": "Squid",
    "squid3": "Squid",
    "named": "BIND",
    "unbound": "Unbound",
    "dnsmasq": "dnsmasq",
    "vsftpd": "vsftpd",
    "proftpd": "ProFTPD",
}
_NEEDS_ROOT = {
    "sshd": "sshd becomes whoever logs in",
    "cron": "cron starts jobs as other users",
    "crond": "cron starts jobs as other users",
    "anacron": "cron starts jobs as other users",
    "supervisord": "supervisord starts programs as other users",
    "my_init": "an init system starts services as root",
    "init": "an init system starts services as root",
    "systemd": "an init system starts services as root",
    "systemctl": "an init system starts services as root",
    "service": "it starts system services, which are root's",
    "rc-service": "it starts system services, which are root's",
    "runsvdir": "an init system starts services as root",
    "runsvdir-start": "an init system starts services as root",
    "svscan": "an init system starts services as root",
    "s6-svscan": "an init system starts services as root",
    "openrc": "an init system starts services as root",
    "dockerd": "the Docker daemon needs root",
    "dockerd-entrypoint.sh": "the Docker daemon needs root",
    "wrapdocker": "the Docker daemon needs root",
    "openvpn": "it changes the network",
    "iptables": "it changes the network",
    "ip": "it changes the network",
    "ifconfig": "it changes the network",
    "wg-quick": "it changes the network",
    "hostapd": "it changes the network",
    "pppd": "it changes the network",
    "dhcpd": "it listens to the raw network",
    "tcpdump": "it listens to the raw network",
    "mount": "it mounts file systems",
    "modprobe": "it loads kernel modules",
    "sysctl": "it changes the kernel's settings",
    "rsyslogd": "it writes the system's logs",
    "syslog-ng": "it writes the system's logs",
    "postfix": "Postfix works as several users",
    "dovecot": "Dovecot works as several users",
    "smbd": "Samba becomes whoever logs in",
    "rpcbind": "NFS needs root",
    "exportfs": "NFS needs root",
    "xinetd": "it starts programs as other users",
    "chown": "its start hands files over",
    "chgrp": "its start hands files over",
    "useradd": "its start creates users",
    "usermod": "its start changes users",
    "adduser": "its start creates users",
    "groupadd": "its start creates users",
    "groupmod": "its start changes users",
    "chpasswd": "its start sets passwords",
    "passwd": "its start sets passwords",
    "apt-get": "its start installs packages",
    "apk": "its start installs packages",
    "yum": "its start installs packages",
    "dnf": "its start installs packages",
    "update-ca-certificates": "its start changes the system's certificates",
    "ldconfig": "its start changes the system's libraries",
    "sudo": "its start uses sudo",
}
#: Packages that say what an unread script is likely to start.
_TELLING_PACKAGES = {
    "supervisor": "supervisord",
    "openssh-server": "sshd",
    "openssh": "sshd",
    "cron": "cron",
    "cronie": "cron",
    "dcron": "cron",
    "runit": "runsvdir",
    "daemontools": "svscan",
    "openvpn": "openvpn",
    "strongswan": "openvpn",
    "libreswan": "openvpn",
    "xl2tpd": "openvpn",
}
#: Servers that an unread script is likely to start, by package, and where their own configuration goes.
_SERVER_PACKAGES = dict.fromkeys("nginx nginx-light nginx-full nginx-extras nginx-core openresty".split(), "nginx")
_SERVER_PACKAGES |= {"apache2": "Apache", "httpd": "Apache"}
_SERVER_PLACES = {"/etc/nginx": "nginx", "/usr/local/nginx": "nginx", "/etc/apache2": "Apache", "/etc/httpd": "Apache"}
_SSH = frozenset(("22", "22/tcp"))
_SSHD = frozenset(("openssh-server", "openssh", "dropbear"))
_INIT_SCRIPTS = ("/etc/init.d/", "/etc/rc.d/")
_INIT_PROGRAMS = frozenset(("/init", "/sbin/init", "/usr/sbin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd"))

#: Something in root's home that is not merely for the build; as text, since most files do not need it.
_ROOTS_DATA = r"/root/(?!\.(?:ssh|cache|npm|gnupg|m2|gradle|pip|bash|profile|vim|wget|curl|netrc|git|docker))."
#: What its CMD writes into the working directory because it builds when it starts.
_BUILDS_AT_START = frozenset(
    "npm yarn pnpm mvn mvnw gradle gradlew go cargo sbt lein mix bundle jekyll composer make grunt gulp".split()
)


class StageNeeds:
    """What is known about how a stage runs; each part is found out when it is asked for.

    It goes by the base, the instructions, the scripts that it starts with, and what its program does. `failed` is what its
    containers did not work with in runs: the ids of rules, and what was seen.
    """

    def __init__(
        self,
        stage: DockerStage,
        workloads: Callable[[], Iterable[Workload]] = tuple,
        failed: Mapping[str, str] = {},
        *,
        named_users: bool = False,
    ) -> None:
        self._stage = stage
        #: Whether people want a new user by its name in USER, and nothing has to tell it from root by its number.
        self.named_users = named_users
        #: Rules whose fixes it did not work with in a run, and what was seen then.
        self.failed = failed
        self._find_workloads = workloads

    @cached_property
    def base(self) -> Base | None:
        """None when nothing is known about the image that everything begins from, and for `scratch`."""
        return find_base(self._stage.image) if self._stage.image else None

    @property
    def family(self) -> str:
        """A family of `bases.toml`, or SCRATCH, WINDOWS, UNKNOWN."""
        if self._stage.base_text == "scratch":
            return SCRATCH
        return self.base.family if self.base else UNKNOWN

    @cached_property
    def user_of_the_base(self) -> bool:
        """Whether only the base image can say who the last USER is: a variable that no instruction names (`${NB_UID}`)."""
        users = self._stage.users[-1:] if self._stage.base_text != "scratch" else ()
        return any(user.is_root is None and left_to_the_base(user.stage, user.item) for user in users)

    @cached_property
    def _keeps_start(self) -> bool:
        return self.base is not None and _keeps_the_bases_start(self._stage)

    @cached_property
    def steps_down(self) -> str:
        """Why it gives root away by itself; empty when it does not, or nobody knows."""
        if self.base and self._keeps_start and self.base.steps_down:
            return self.base.steps_down
        return _steps_down(self._stage) or (_server_behind_a_script(self._stage) if self.family else "")

    @cached_property
    def needs_root(self) -> str:
        """Why it cannot run as anyone but root. A script that prepares as root and then steps down does not count."""
        if self.steps_down:
            return ""
        if self.base and (self._keeps_start or not self._stage.starts) and self.base.needs_root:
            return self.base.needs_root
        return _needs_root(self._stage) or _in_roots_home(self._stage)

    @cached_property
    def handover(self) -> Handover | None:
        """What it takes to run its program as another user, by what that does; None where there is no program to look at."""
        return handover(self.workloads) if self.workloads else None

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        """What it runs, by each container that asks for it; none where it does not run."""
        return tuple(self._find_workloads())

    @property
    def is_read(self) -> bool:
        """Whether it is known from its program what that does."""
        return self.handover is not None and not self.handover.unknown

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """What could not be read or is not known, and speaks against trust in the rest."""
        return tuple(_doubts(self._stage, self.is_read))

    @cached_property
    def writes(self) -> tuple[Written, ...]:
        """The places that it writes, as far as that is known."""
        said = written_in(self._stage, self.base if self._keeps_start else None)
        if self.handover is None or not self.is_read:
            return said
        exists = {written.path for written in said if written.exists}
        return tuple(Written(place.path, place.evidence, place.path in exists) for place in self.handover.places)


def _keeps_the_bases_start(stage: DockerStage) -> bool:
    if stage.image is None:
        return False
    entrypoint, cmd = stage.last("ENTRYPOINT"), stage.last("CMD")
    if entrypoint is not None and not (entrypoint.is_json and len(entrypoint.values) == 1 and _is_usual(entrypoint.values[0])):
        return False
    if cmd is None:
        return True
    name = stage.image.repository.rpartition("/")[2].partition("-")[0][:5]
    program = next((start.name for start in reversed(stage.starts) if not start.script), "")
    if name == "php":
        return program in _OWN_STEP_DOWN
    return program.startswith(("-", name)) or program in _OWN_STEP_DOWN or (name == "tomca" and program == "catalina.sh")


def _is_usual(entrypoint: str) -> bool:
    return entrypoint.rpartition("/")[2] in ("docker-entrypoint.sh", "docker-php-entrypoint")


def _steps_down(stage: DockerStage) -> str:
    for start in stage.starts:
        where = f"`{start.script}`" if start.script else "its command"
        if start.name in _STEP_DOWN and not (start.name == "su" and len(start.words) < 2):
            return f"{where} steps down by {start.name}"
        if start.name == "sudo" and any(word.startswith(("-u", "--user")) for word in start.words[1:]):
            return f"{where} steps down by sudo"
        if start.name == "start-stop-daemon" and any(word.startswith(("--chuid", "-c")) for word in start.words[1:]):
            return f"{where} steps down by start-stop-daemon"
        if start.name == "httpd" and "-h" in start.words:
            continue  # that of BusyBox, which does not
        server = _OWN_STEP_DOWN.get("php-fpm" if start.name.startswith("php-fpm") else start.name)
        if server and not start.script:
            return f"{server} starts as root and works as another user"
    if stage.unread_scripts:
        for run in stage.commands:
            words = (run.name, *run.known)
            tool = next((tool for tool in ("gosu", "su-exec") if any(tool in word for word in words)), "")
            if tool:
                return f"it installs {tool}, which `{stage.unread_scripts[0]}` will use to step down"
    return ""


def _server_behind_a_script(stage: DockerStage) -> str:
    """Why an unread script will start a server that steps down; empty when something else speaks louder."""
    server = _server(stage) if stage.unread_scripts and not _told_root(stage) and not _in_roots_home(stage) else ""
    script = stage.unread_scripts[0] if server else ""
    return f"`{script}` is there to start {server}, which starts as root and works as another user" if server else ""


def _server(stage: DockerStage) -> str:
    """The server that is installed or whose configuration is copied in."""
    for _, item in stage.items:
        if item.keyword in ("COPY", "ADD"):
            to = posixpath.join(stage.workdir_before(item) or "/", item.values[-1]) + "/"
            server = next((server for place, server in _SERVER_PLACES.items() if to.startswith(f"{place}/")), "")
            if server:
                return server
    return next((server for package, server in _SERVER_PACKAGES.items() if package in stage.packages), "")


def _needs_root(stage: DockerStage) -> str:
    for start in stage.starts:
        why = _why_root(start)
        if why:
            return f"{why} (`{start.script}`)" if start.script else why
    for path, item in stage.volumes:
        if path.rstrip("/") == "/lib/modules":
            return f"line {item.line} asks for the host's kernel modules, which only root may load"
    for _, item in stage.items:
        if item.keyword == "ENV" and any(name.startswith("DAPPER_") for name in item.values[::2]):
            return "it is a build environment (dapper), which works as root"
    return _told_root(stage)


def _told_root(stage: DockerStage) -> str:
    """What packages and ports say about a script that could not be read."""
    ports = ((item.line, item.arguments.split()) for _, item in stage.items if item.keyword == "EXPOSE")
    opens = next((line for line, words in ports if not _SSH.isdisjoint(words)), 0)
    if opens and not _SSHD.isdisjoint(stage.packages):
        return f"it installs sshd, line {opens} exposes its port, and {_NEEDS_ROOT['sshd']}"
    if not stage.unread_scripts:
        return ""
    script = stage.unread_scripts[0]
    if opens:
        return f"line {opens} exposes port 22, `{script}` could not be read, and {_NEEDS_ROOT['sshd']}"
    for package, program in _TELLING_PACKAGES.items():
        if package in stage.packages:
            return f"it installs {package}, `{script}` could not be read, and {_NEEDS_ROOT[program]}"
    return ""


def _why_root(start: Start) -> str:
    if start.words[0] in _INIT_PROGRAMS:
        return _NEEDS_ROOT["init"]
    if start.words[0].startswith(_INIT_SCRIPTS):
        return _NEEDS_ROOT["service"]
    if start.name == "init" and start.words[0] != "init":
        return ""
    if start.name == "ip" and len(start.words) > 1 and start.words[1] in ("a", "addr", "-4", "-6", "-o"):
        return ""
    return _NEEDS_ROOT.get(start.name, "")


def _in_roots_home(stage: DockerStage) -> str:
    """Whether the program lies where only root may enter."""
    for start in stage.starts:
        for word in start.words[:3]:
            if word.startswith(("/root/", "~/")):
                return f"`{word}` lies in /root, which only root may enter"
    if (stage.workdir or "/").split("/")[1] == "root":
        return "its working directory lies in /root, which only root may enter"
    for start_stage, item in stage.items:
        if item.keyword == "ENV":
            for name, value in zip(item.values[::2], item.values[1::2], strict=True):
                path = value.strip("'\"")
                program = name == "PATH" and "/root/" in path
                if program or (name.endswith(("_HOME", "_DIR", "_PATH", "_ROOT")) and path.startswith("/root")):
                    return f"{name} leads into /root, which only root may enter (line {item.line})"
        elif item.keyword in ("COPY", "ADD") and start_stage is stage.stage:
            target = item.values[-1]
            if target.startswith("/root/") and "ssh" not in target:
                return f"what line {item.line} copies lies in /root, which only root may enter"
    return ""


def _doubts(stage: DockerStage, is_read: bool) -> Iterator[str]:
    for script in stage.unread_scripts if not is_read else ():
        yield f"what `{script}` does when the container starts could not be read"
    for start in stage.starts if not is_read else ():
        if start.name in _BUILDS_AT_START and stage.workdir and stage.workdir != "/":
            yield f"`{start.name}` may write into {stage.workdir} when it starts"
            break
    for run in stage.commands:
        home = next((word for word in run.known if run.name in ("mkdir", "ln", "touch") and re.match(_ROOTS_DATA, word)), "")
        if home:
            yield f"line {run.item.line} prepares {home}, which only root may enter"
            break
    code = code_of(stage)
    for path, _ in stage.volumes:
        if posixpath.normpath(path) in code:
            yield f"the VOLUME {path} holds the program's own files, which stay root's"
