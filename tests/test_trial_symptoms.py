"""From what programs say to what mends them: real wordings, and a real engine on which the first remedy does."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator

import pytest

from hardener.trial.remedy import Complaint, Kind, Remedy, Standing
from hardener.trial.symptoms import DEFAULT_CAPABILITIES, remedies

FIXES = frozenset(
    "excess-capabilities privilege-escalation root-user unlimited-cpu unlimited-memory unlimited-pids writable-root-filesystem "
    "jvm-heap-ignores-limit node-heap-ignores-limit missing-healthcheck".split()
)
ROOT = Standing(fixes=FIXES - {"root-user"}, capabilities=frozenset(), read_only=True, memory=128)
USER = Standing(fixes=FIXES, user="1000:1000", capabilities=frozenset(), read_only=True, memory=128)
#: Who is unprivileged in the original too.
GUEST = Standing(fixes=FIXES - {"root-user"}, user="1000:1000", capabilities=frozenset(), read_only=True)
CAPS, NNP, USERFIX, RO = (
    "without excess-capabilities",
    "without privilege-escalation",
    "without root-user",
    "without writable-root-filesystem",
)


def offered(text: str, standing: Standing = ROOT, kind: Kind = Kind.LOG) -> list[str]:
    return [f"{one.kind} {one.value}" for one in remedies(Complaint("web", kind, text), standing)]


#: What is said, by what a root service without capabilities gets first.
AS_ROOT = {
    "capability CHOWN": r"""
        chown: /data: Operation not permitted
        chown: changing ownership of '/data': Operation not permitted
        chown: changing ownership of ‘/var/lib/postgresql/data’: Operation not permitted
        chgrp: changing group of '/data': Operation not permitted
        nginx: [emerg] chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)
        2024/05/01 10:00:00 [emerg] 1#1: chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)
        cp: failed to preserve ownership for '/data/x': Operation not permitted
        install: cannot change ownership of '/run/x': Operation not permitted
        tar: ./x: Cannot change ownership to uid 1000, gid 1000: Operation not permitted
        rsync: [generator] chown "/var/www/html/.x" failed: Operation not permitted (1)
        Error: EPERM: operation not permitted, chown '/app/data'
        chown /var/lib/grafana: operation not permitted
        Errno::EPERM: Operation not permitted @ apply2files - /app/log (chown)
        PHP Warning:  chown(): Operation not permitted in /var/www/html/x.php on line 3
        chmod: chown: Operation not permitted
        java.nio.file.FileSystemException: /data: Operation not permitted (chown)
        lchown /data/x: operation not permitted
        PermissionError: [Errno 1] Operation not permitted: '/data'
    """,
    "capability FOWNER": r"""
        chmod: /data: Operation not permitted
        chmod: changing permissions of '/data': Operation not permitted
        initdb: error: could not change permissions of directory "/var/lib/postgresql/data": Operation not permitted
        touch: setting times of '/data/x': Operation not permitted
        cp: preserving times for '/data/x': Operation not permitted
        rsync: [receiver] failed to set times on "/data/.": Operation not permitted (1)
        tar: x: Cannot utime: Operation not permitted
        tar: x: Cannot change mode to rwxr-xr-x: Operation not permitted
        rm: cannot remove '/tmp/x': Operation not permitted
        rm: can't remove '/tmp/x': Operation not permitted
        mv: cannot move '/tmp/a' to '/tmp/b': Operation not permitted
        Error: EPERM: operation not permitted, chmod '/data/x'
        Error: EPERM: operation not permitted, unlink '/tmp/x'
        chmod /data/x: operation not permitted
        fchmod(/run/php.sock): Operation not permitted
    """,
    "capability DAC_OVERRIDE": r"""
        find: '/var/lib/postgresql/data/pg_wal': Permission denied
        find: ‘/var/lib/mysql-files’: Permission denied
        ls: can't open '/d': Permission denied
        touch: cannot touch '/d/x': Permission denied
        cat: /d/x: Permission denied
        sh: 1: cannot create /d/x: Permission denied
        /start.sh: line 3: can't create /d/x: Permission denied
        PermissionError: [Errno 13] Permission denied: '/config/deps'
        Error: EACCES: permission denied, open '/data/db.json'
        open /data/db: permission denied
        java.nio.file.AccessDeniedException: /data/db
        java.io.FileNotFoundException: /data/x.log (Permission denied)
        PHP Warning:  file_put_contents(/var/www/html/x): Failed to open stream: Permission denied in /var/www/html/a.php on line 3
        failed to open stream: Permission denied
        Errno::EACCES: Permission denied @ rb_sysopen - /app/log/production.log
        System.UnauthorizedAccessException: Access to the path '/app/data' is denied.
        Can't open '/etc/x': Permission denied at /usr/bin/x.pl line 3.
        Error: Os { code: 13, kind: PermissionDenied, message: "Permission denied" }
        Error: open "/data": Permission denied (os error 13)
        nginx: [emerg] open() "/var/log/app/x.log" failed (13: Permission denied)
        (13)Permission denied: [client 172.18.0.1:41234] AH00035: access to /x denied (filesystem path '/srv/x') because search permissions are missing
        mysqld: Can't read dir of '/etc/mysql/conf.d/' (OS errno 13 - Permission denied)
        mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (Errcode: 13 - Permission denied)
        [ERROR] [MY-010187] [Server] Could not open file '/var/lib/mysql/e.err' for error logging: Permission denied
        Failed to create cookie file '/var/lib/rabbitmq/.erlang.cookie': eacces
        {"error_string":"Permission denied","msg":"Failed to open /data/db/WiredTiger.turtle"}
        # Can't open or create append-only dir appendonlydir: Permission denied
        mosquitto: Error: Unable to open log file /mosquitto/log/mosquitto.log for writing: Permission denied
        Permission denied: '/data'
        GF_PATHS_DATA='/data/grafana' is not writable.
        got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: connect: permission denied
        chdir to cwd ("/app") set in config.json failed: permission denied
    """,
    "capability SETGID SETUID": r"""
        su: can't set groups: Operation not permitted
        su: cannot set groups: Operation not permitted
        su: cannot set user id: Operation not permitted
        su-exec: setgroups(1000): Operation not permitted
        error: failed switching to "redis": operation not permitted
        setpriv: setresuid failed: Operation not permitted
        setpriv: setgroups failed: Operation not permitted
        setpriv: setresgid failed: Operation not permitted
        s6-applyuidgid: fatal: unable to set supplementary group list: Operation not permitted
        s6-setuidgid: fatal: unable to setgid: Operation not permitted
        chpst: fatal: unable to setgroups: Operation not permitted
        chroot: failed to set group-ID: Operation not permitted
        nginx: [emerg] setgid(101) failed (1: Operation not permitted)
        2024/05/01 10:00:00 [emerg] 22#22: setgid(33) failed (1: Operation not permitted)
        [emerg] 7#7: initgroups(nginx, 101) failed (1: Operation not permitted)
        [alert] 7#7: setuid(101) failed (1: Operation not permitted)
        (1)Operation not permitted: AH02156: setgid: unable to set group id to Group 33
        (1)Operation not permitted: AH02157: initgroups: unable to set groups for User www-data and Group 33
        [unixd:alert] [pid 9:tid 1] (1)Operation not permitted: AH02162: setuid: unable to change to uid: 33
        Fatal error: Can't change to run as user 'mysql' ; setuid: Operation not permitted
        mysqld: Fatal error: setgroups: Operation not permitted
        "root" execution of the PostgreSQL server is not permitted.
        Please read "Security" section of the manual to find out how to run mysqld as root!
        failed to assume identity of user memcache
        Error setting groups whilst dropping privileges: Operation not permitted.
        Error setting uid whilst dropping privileges: Operation not permitted.
        [ALERT]    (1) : [haproxy.main()] Cannot set gid 99.
        [haproxy.main()] Cannot set uid 99.
        fatal: setgroups: Operation not permitted [preauth]
        permanently_set_uid: setgroups: Operation not permitted
        fatal: initgroups: sftp: Operation not permitted
        CRON[12]: can't set gid for app
        crond: can't set groups: Operation not permitted
        initgroups: Operation not permitted
        supervisor: couldn't setuid to 33: Could not set group privileges
        Error: Can't drop root privileges: setgid: Operation not permitted
        ERROR: [pool www] failed to setgid(33): Operation not permitted (1)
        setgid(): Operation not permitted [core/uwsgi.c line 1650]
        fatal: set_eugid: effective gid: Operation not permitted
        unable to set gid=101 or uid=101 (euid=0): forcing real = effective
        dnsmasq: failed to change user-id to dnsmasq: Operation not permitted
        E: setgroups 65534 failed - setgroups (1: Operation not permitted)
        E: seteuid 100 failed - seteuid (1: Operation not permitted)
        error: error switching euid from 0 to 33 and egid from 0 to 33: Operation not permitted
        unable to set effective gid to 'www-data'
        Error: EPERM, Operation not permitted, setgid
        fork/exec /bin/worker: operation not permitted
        operation not permitted - setgid (Errno::EPERM)
        su: Authentication failure
        PermissionError: [Errno 1] Operation not permitted
        Could not set groups: Operation not permitted
    """,
    "capability SYS_CHROOT": r"""
        chroot: cannot change root directory to '/srv': Operation not permitted
        chroot: can't change root directory to '/srv': Operation not permitted
        fatal: chroot("/home/sftp"): Operation not permitted [preauth]
        [ALERT] (1) : [haproxy.main()] Cannot chroot(/var/lib/haproxy).
        postfix/smtpd[7]: fatal: chroot(/var/spool/postfix): Operation not permitted
        unbound: fatal error: unable to chroot to /etc/unbound: Operation not permitted
        [pool www] failed to chroot(/srv): Operation not permitted (1)
        PermissionError: [Errno 1] Operation not permitted: os.chroot
    """,
    "capability KILL": r"""
        kill: can't kill pid 7: Operation not permitted
        bash: line 3: kill: (7) - Operation not permitted
        sh: 1: kill: Operation not permitted
        nginx: [alert] kill(7, 15) failed (1: Operation not permitted)
        Error: kill EPERM
        pkill: killing pid 7 failed: Operation not permitted
        killall: nginx: Operation not permitted
        start-stop-daemon: warning: failed to kill 7: Operation not permitted
        ERROR: failed to send signal to process 7: operation not permitted
    """,
    "capability MKNOD": r"""
        mknod: /dev/x: Operation not permitted
        mknod: /srv/dev/null: operation not permitted
    """,
    "capability SETFCAP": r"""
        unable to set CAP_SETFCAP effective capability: Operation not permitted
        Failed to set capabilities on file `/usr/bin/x' (Operation not permitted)
        setcap: /usr/bin/x: Operation not permitted
    """,
    "capability SETPCAP": r"""
        setpriv: apply bounding set: Operation not permitted
        setpriv: cap_set_proc: Operation not permitted
        prctl(PR_CAPBSET_DROP): Operation not permitted
    """,
    "capability AUDIT_WRITE": r"""
        su: pam_unix(su:session): audit_log_acct_message() failed: Operation not permitted
        sshd: linux_audit_write_entry failed: Operation not permitted
        sudo: unable to send audit message: Operation not permitted
        Cannot make/remove an entry for the specified session
    """,
    "capability NET_RAW": r"""
        ping: permission denied (are you root?)
        ping: socktype: SOCK_RAW
        ping: socket: Operation not permitted
        ping: Lacking privilege for raw socket.
        Cannot watch for dhcp packets: [Errno 1] Operation not permitted
        tcpdump: eth0: You don't have permission to capture on that device
        arping: socket: Operation not permitted
        icmp open socket: operation not permitted
        socket: Operation not permitted
        listen ip4:icmp 0.0.0.0: socket: operation not permitted
    """,
    "capability NET_BIND_SERVICE": r"""
        listen tcp :80: bind: permission denied
        listen tcp 0.0.0.0:443: bind: permission denied
        nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)
        nginx: [emerg] bind() to [::]:80 failed (13: Permission denied)
        (13)Permission denied: AH00072: make_sock: could not bind to address [::]:80
        Error: listen EACCES: permission denied 0.0.0.0:80
        java.net.BindException: Permission denied
        java.net.SocketException: Permission denied
        Warning: Could not create server TCP listening socket *:80: bind: Permission denied
        error: Bind to port 22 on 0.0.0.0 failed: Permission denied.
        Starting frontend web: cannot bind socket (Permission denied) [0.0.0.0:80]
        exec /usr/bin/caddy: operation not permitted
        exec /usr/local/bin/gitea: operation not permitted
        standard_init_linux.go:228: exec user process caused: operation not permitted
        sh: /usr/bin/caddy: Operation not permitted
        binding needs cap_net_bind_service
    """,
    "tmpfs /tmp": r"""
        FileNotFoundError: [Errno 2] No usable temporary directory found in ['/tmp', '/var/tmp', '/usr/tmp', '/app']
        org.springframework.boot.web.server.WebServerException: Unable to create tempDir. java.io.tmpdir is set to /tmp
        bash: line 1: cannot create temp file for here-document: Read-only file system
        mktemp: failed to create file via template '/tmp/tmp.XXXXXXXXXX': Read-only file system
        mktemp: (null): Read-only file system
        Failed to create CoreCLR, HRESULT: 0x80004005
        FATAL:  could not create lock file "/tmp/.s.PGSQL.5432.lock": Read-only file system
        Error: EROFS: read-only file system, open '/tmp/x.json'
        OSError: [Errno 30] Read-only file system: '/tmp/a/b/c.txt'
        mkdir: cannot create directory '/tmp/work': Read-only file system
        {"t":{"$date":"2024-05-01T10:00:00.000+00:00"},"s":"E","msg":"Failed to unlink socket file","attr":{"path":"/tmp/mongodb-27017.sock","error":"Read-only file system"}}
        Unable to create /tmp/hsperfdata_root: Read-only file system
        open /tmp/x: read-only file system
        PHP Warning:  session_start(): open(/tmp/sess_abc, O_RDWR) failed: Read-only file system (30) in /var/www/html/x.php on line 2
    """,
    "tmpfs /run": r"""
        nginx: [emerg] open() "/var/run/nginx.pid" failed (30: Read-only file system)
        nginx: [emerg] open() "/run/nginx.pid" failed (30: Read-only file system)
        mkdir: can't create directory '/run/sshd': Read-only file system
        can't open or create /var/run/crond.pid: Read-only file system
        cron: can't open or create /run/crond.pid: Read-only file system
        touch: /run/x: Read-only file system
        s6-mkdir: warning: unable to mkdir /run/s6: Read-only file system
    """,
    "tmpfs /run/postgresql": r"""
        FATAL:  could not create lock file "/var/run/postgresql/.s.PGSQL.5432.lock": Read-only file system
        2024-05-01 10:00:00.123 UTC [1] FATAL:  could not create lock file "/run/postgresql/.s.PGSQL.5432.lock": Read-only file system
    """,
    "tmpfs /run/mysqld": r"""
        [ERROR] [MY-010273] [Server] Could not create unix socket lock file /var/run/mysqld/mysqld.sock.lock.
        2024-05-01 10:00:00 0 [ERROR] Can't start server : Bind on unix socket: '/run/mysqld/mysqld.sock' Read-only file system
        mariadbd: Can't create/write to file '/run/mysqld/mysqld.pid' (Errcode: 30 "Read-only file system")
    """,
    "tmpfs /var/cache/nginx": r"""
        nginx: [emerg] mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)
        2024/05/01 10:00:00 [emerg] 1#1: mkdir() "/var/cache/nginx/client_temp" failed (30: Read-only file system)
    """,
    "tmpfs /run/lock": r"""
        AH00526: Invalid Mutex directory in argument file:/var/lock/apache2
        mkdir: cannot create directory '/var/lock/apache2': Read-only file system
    """,
    "tmpfs /var/log/app": r"""
        OSError: [Errno 30] Read-only file system: '/var/log/app/x.log'
        Errno::EROFS: Read-only file system @ rb_sysopen - /var/log/app/x.log
        /usr/lib/ruby/3.1.0/logger.rb:12:in `initialize': Read-only file system @ rb_sysopen - /var/log/app/x.log (Errno::EROFS)
        java.nio.file.FileSystemException: /var/log/app/x.log: Read-only file system
        java.io.FileNotFoundException: /var/log/app/x.log (Read-only file system)
        System.IO.IOException: Read-only file system : '/var/log/app/x.log'
        open /var/log/app/x.log: read-only file system
        Can't open /var/log/app/x.log: Read-only file system at /usr/bin/x.pl line 3.
        sh: 1: cannot create /var/log/app/x.log: Read-only file system
        /start.sh: line 2: /var/log/app/x.log: Read-only file system
        can't create /var/log/app/x.log: Read-only file system
        tee: /var/log/app/x.log: Read-only file system
        Error: EROFS: read-only file system, mkdir '/var/log/app/new'
        mv: cannot move '/etc/a' to '/var/log/app/b': Read-only file system
        Error: EROFS: read-only file system, rename '/etc/a' -> '/var/log/app/b'
        Error: Read-only file system (os error 30): /var/log/app/x.log
    """,
    RO: r"""
        (30)Read-only file system: AH00099: could not create /usr/local/apache2/logs/httpd.pid.b2PsYo
        OSError: [Errno 30] Read-only file system: '/app/static/build'
        Error: EROFS: read-only file system, mkdir '/app/.next/cache'
        touch: /usr/bin/x: Read-only file system
        touch: /etc/x: Read-only file system
        touch: /x: Read-only file system
        sed: couldn't open temporary file /etc/nginx/conf.d/sedXYZ: Read-only file system
        mkdir: cannot create directory '/var/lib': Read-only file system
        touch: /dev/x: Read-only file system
        Error: Os { code: 30, kind: ReadOnlyFilesystem, message: "Read-only file system" }
    """,
    "without unlimited-pids": r"""
        sh: can't fork: Resource temporarily unavailable
        bash: fork: retry: Resource temporarily unavailable
        bash: fork: Resource temporarily unavailable
        runtime: failed to create new OS thread (have 5 already; errno=11)
        RuntimeError: can't start new thread
        java.lang.OutOfMemoryError: unable to create new native thread
        OpenBLAS blas_thread_init: pthread_create failed for thread 3 of 8: Resource temporarily unavailable
        BlockingIOError: [Errno 11] Resource temporarily unavailable
        Error: spawn /bin/sh EAGAIN
        ThreadError: can't create Thread: Resource temporarily unavailable
        could not fork new process for connection: Resource temporarily unavailable
        [warning][os,thread] Failed to start thread "Unknown thread" with pthread_create failed (EAGAIN)
    """,
    "memory 2": r"""
        java.lang.OutOfMemoryError: Java heap space
        java.lang.OutOfMemoryError: GC overhead limit exceeded
        There is insufficient memory for the Java Runtime Environment to continue.
        Error occurred during initialization of VM: Too small maximum heap
        FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
        MemoryError
        OSError: [Errno 12] Cannot allocate memory
        fatal error: runtime: out of memory
        terminate called after throwing an instance of 'std::bad_alloc'
        [ERROR] InnoDB: Cannot allocate memory for the buffer pool
        FATAL:  could not map anonymous shared memory: Cannot allocate memory
        System.OutOfMemoryException: Exception of type 'System.OutOfMemoryException' was thrown.
        GC heap initialization failed with error 0x8007000E
        memory allocation of 1073741824 bytes failed
        NoMemoryError: failed to allocate memory
        [alert] 1#1: worker process 22 exited on signal 9 (SIGKILL)
        [ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?
        server process (PID 77) was terminated by signal 9: Killed
        Minimum memory limit allowed is 6MB
    """,
    "without unlimited-cpu": r"""
        Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available
        can't set distinct values on 'cpus' and 'deploy.resources.limits.cpus': invalid compose project
    """,
    "without unlimited-memory": "can't set distinct values on 'mem_limit' and 'deploy.resources.limits.memory'",
    "nothing": r"""
        mbind: Operation not permitted
        renice: setpriority: Permission denied
        sudo: setrlimit(RLIMIT_CORE): Operation not permitted
        10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)
        the "user" directive makes sense only if the master process runs with super-user privileges, ignored in /etc/nginx/nginx.conf:2
        recv() failed (11: Resource temporarily unavailable)
        connection refused
        GET /x 200
        cat: /app/x: No such file or directory
        exited with 1

    """,
}
CASES = [(first, line.strip()) for first, lines in AS_ROOT.items() for line in lines.splitlines() if line.strip()]


@pytest.mark.parametrize(("first", "text"), CASES, ids=[text for _, text in CASES])
def test_root_gets_first_what_its_words_name(first: str, text: str) -> None:
    assert (offered(text) or ["nothing"])[0] == first


@pytest.mark.parametrize(("first", "text"), [case for case in CASES if case[0].startswith("capability")])
def test_an_entry_ends_with_the_fix_that_causes_it(first: str, text: str) -> None:
    found = offered(text)
    assert CAPS in found
    assert [one for one in found if one.startswith("without")] == found[-sum(one.startswith("without") for one in found) :]


@pytest.mark.parametrize("text", [text for _, text in CASES])
@pytest.mark.parametrize(
    "standing",
    [ROOT, USER, GUEST, Standing(), ROOT._replace(capabilities=DEFAULT_CAPABILITIES), ROOT._replace(fixes=frozenset())],
)
def test_nothing_is_offered_that_makes_no_sense(text: str, standing: Standing) -> None:
    for kind in Kind:
        for one in remedies(Complaint("web", kind, text), standing):
            assert one.service == "web"
            assert len(one.why) <= 60, one.why
            assert one.why.isprintable()
            if one.kind == "without":
                assert one.value in standing.fixes
                assert one.value != "root-user" or standing.user
            elif one.kind == "capability":
                names = set(one.value.split())
                assert standing.capabilities is not None
                assert names <= DEFAULT_CAPABILITIES - standing.capabilities
                assert one.value == " ".join(sorted(names))
                assert not standing.user or standing is GUEST or "exec" in text
            elif one.kind == "tmpfs":
                assert standing.read_only
                assert one.value not in ("/", "/bin", "/usr", "/lib", "/etc", "/app", "/var/lib")
            else:
                assert one.kind == "memory"
                assert "unlimited-memory" in standing.fixes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chown: /data: Operation not permitted", [USERFIX]),
        ("su-exec: setgroups(1000): Operation not permitted", [USERFIX, NNP]),
        ("Error: Can't drop privilege as nonroot user", [USERFIX]),
        ("listen tcp :80: bind: permission denied", [USERFIX, NNP]),
        ("open /data/x: permission denied", [USERFIX]),
        ("KeyError: 'getpwuid(): uid not found: 1000'", [USERFIX]),
        ("whoami: cannot find name for user ID 1000", [USERFIX]),
        ("This script must be run as root", [USERFIX]),
        ("PermissionError: [Errno 13] Permission denied: '/run/x/y.pid'", ["tmpfs /run/x", USERFIX, RO]),
        ('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.', [USERFIX, NNP]),
        ("OSError: [Errno 30] Read-only file system: '/var/tmp/x'", ["tmpfs /var/tmp", RO]),
    ],
)
def test_who_was_made_unprivileged_gets_no_capability(text: str, found: list[str]) -> None:
    assert offered(text, USER) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("chown: /data: Operation not permitted", []),
        ("sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set", [NNP, CAPS]),
        ("exec /usr/bin/caddy: operation not permitted", [NNP, CAPS]),
        ("ping: socket: Operation not permitted", [NNP, CAPS]),
    ],
)
def test_programs_of_who_was_unprivileged_all_along_keep_theirs(text: str, found: list[str]) -> None:
    assert [one for one in offered(text, GUEST) if not one.startswith("capability")] == found
    assert bool(found) == any(one.startswith("capability") for one in offered(text, GUEST))


def test_a_tmpfs_goes_where_the_original_was_seen_to_write() -> None:
    seen = ROOT._replace(
        written={"/app/.next/cache": "0:0", "/usr/local/apache2/logs": "0:0", "/run/x": "1:1", "/usr/bin": "0:0"}
    )
    assert offered("EROFS: read-only file system, mkdir '/app/.next/cache/images'", seen) == ["tmpfs /app/.next/cache", RO]
    assert offered("could not create /usr/local/apache2/logs/httpd.pid", seen)[0] == "tmpfs /usr/local/apache2/logs"
    assert offered("touch: /run/x/a/b: Read-only file system", seen) == ["tmpfs /run/x", "tmpfs /run/x/a", RO]
    assert offered("touch: /usr/bin/x: Read-only file system", seen) == [RO]
    assert offered("mkdir: cannot create directory 'cache': Read-only file system", seen) == ["tmpfs /app/.next/cache", RO]
    assert offered("read-only file system", seen)[-1] == RO


def test_what_is_mounted_gets_no_tmpfs() -> None:
    text = "touch: /run/x/y: Read-only file system"
    assert offered(text, ROOT._replace(mounts=frozenset({"/run/x"}))) == [RO]
    assert offered(text, ROOT._replace(mounts=frozenset({"/run"}))) == [RO]
    assert offered(text, ROOT._replace(mounts=frozenset({"/run/x/y/z"}))) == ["tmpfs /run/x", RO]
    assert offered(text, ROOT._replace(tmpfs={"/var/run/x/": "0:0"})) == [RO]


def test_programs_on_a_tmpfs_may_be_started() -> None:
    standing = ROOT._replace(tmpfs={"/run": "0:0", "/tmp": "0:0,exec"})
    assert offered("exec /run/s6/basedir/bin/init: permission denied", standing)[0] == "exec /run"
    assert offered("sh: /run/x: Permission denied", standing)[0] == "exec /run"
    assert offered("/run/libnetty.so: failed to map segment from shared object", standing) == ["exec /run", RO]
    assert not [one for one in offered("exec /tmp/x: permission denied", standing) if one.startswith("exec")]


def test_what_a_tmpfs_hides_is_made_again() -> None:
    standing = ROOT._replace(tmpfs={"/run": "0:0"})
    assert offered("bind /run/app/x.sock: No such file or directory", standing)[0] == "tmpfs /run/app"
    assert offered("cat: /etc/x: No such file or directory", standing) == []
    assert offered("bind /run/app/x.sock: No such file or directory", standing._replace(read_only=False)) == []


def test_what_is_kept_already_is_not_offered_again() -> None:
    kept = ROOT._replace(capabilities=frozenset({"SETGID", "CHOWN"}))
    assert offered("setuid(33) failed (1: Operation not permitted)", kept)[:2] == [
        "capability SETUID",
        "capability DAC_OVERRIDE SETUID",
    ]
    assert offered("chown: /d: Operation not permitted", kept) == ["capability DAC_OVERRIDE FOWNER", CAPS]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Kind.MEMORY, ["memory 2", "without unlimited-memory"]),
        (Kind.STAYS_ROOT, ["capability SETGID SETUID", "capability CHOWN DAC_OVERRIDE SETGID SETUID", CAPS, NNP]),
        (Kind.STOP, ["capability KILL", CAPS]),
        (Kind.HEALTH, ["without missing-healthcheck"]),
        (Kind.EXIT, []),
        (Kind.MISSING, []),
        (Kind.PROBE, []),
        (Kind.START, []),
        (Kind.LOG, []),
    ],
)
def test_what_the_kind_alone_tells(kind: Kind, found: list[str]) -> None:
    assert offered("it does not work", kind=kind) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("chown: /data: Operation not permitted", "chown: /data: Operation not permitted"),
        (
            '2024/05/01 10:00:00 [emerg] 7#7: chown("/var/cache/nginx/client_temp", 101) failed (1: Operation not permitted)',
            "chown: /var/cache/nginx/client_temp: Operation not permitted",
        ),
        ("\x1b[31mchmod: /x: Operation not permitted\x1b[0m\r", "chmod: /x: Operation not permitted"),
        ("web-1  | chown: /x: Operation not permitted", "chown: /x: Operation not permitted"),
        ("kill: can't kill pid 4711: Operation not permitted", "kill: can't kill pid: Operation not permitted"),
        ('time="2024-05-01T10:00:00Z" level=error msg="open /data/x: permission denied"', "open /data/x: permission denied"),
        ('{"level":"error","ts":1714557600.1,"error":"open /data/x: permission denied"}', "open /data/x: permission denied"),
        ("open /x: permission denied: postgres://me:geheim@db/x", "open /x: permission denied: postgres://*db/x"),
        (
            "PermissionError: [Errno 13] Permission denied: '/tmp/tmpa1b2c3d4'",
            "PermissionError: [Errno 13] Permission denied: '/tmp/*'",
        ),
    ],
)
def test_the_reason_is_the_same_in_every_run(text: str, why: str) -> None:
    assert {one.why for one in remedies(Complaint("web", Kind.LOG, text), ROOT)} == {why}


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "/",
        "/a",
        " ",
        "'",
        "chown ",
        "bind ",
        "permission denied ",
        "[",
        "0",
        "1:",
        "create ",
        "\x1b[",
        "=",
        "sudo: ",
        '{"msg":"',
        ".",
        "::ffff:",
        "access to the path ",
    ],
)
def test_hostile_lines_take_no_time(piece: str) -> None:
    text = f"{piece * (100_000 // len(piece))} Operation not permitted"
    started = time.perf_counter()
    for line in (text, f"Read-only file system {text}", text[:1500]):
        for one in remedies(Complaint("web", Kind.LOG, line), ROOT):
            assert len(one.why) <= 60
    assert time.perf_counter() - started < 0.5


# On an engine.

IMAGE = "harden-test-symptoms:1"
DEBIAN = "debian:bookworm"


@pytest.fixture(scope="module")
def busybox() -> Iterator[str]:
    program = shutil.which("busybox")
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    if program is None or b"statically" not in subprocess.run(["file", "-L", program], capture_output=True).stdout:
        pytest.skip("needs a static busybox (Debian: busybox-static, file)")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(program, "bin/busybox")
        for name in subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split():
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        for name, uid, mode in (("d", 1000, 0o755), ("private", 1000, 0o700), ("tmp", 0, 0o1777), ("run", 0, 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.uid, folder.mode = tarfile.DIRTYPE, uid, mode
            tar.addfile(folder)
        for name, text in {
            "etc/passwd": "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
            "etc/group": "app:x:1000:\n",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    subprocess.run(["docker", "import", "-", IMAGE], input=archive.getvalue(), capture_output=True, check=True)
    yield IMAGE
    subprocess.run(["docker", "image", "rm", "-f", IMAGE], capture_output=True)


@pytest.fixture(scope="module")
def debian(busybox: str) -> str:
    if subprocess.run(["docker", "image", "inspect", DEBIAN], capture_output=True).returncode:
        pytest.skip(f"{DEBIAN} is not on this engine")
    return DEBIAN


def run(image: str, script: str, standing: Standing) -> tuple[bool, str]:
    flags = ["--rm", "--network=none", f"--user={standing.user or '0:0'}"]
    if standing.capabilities is not None:
        flags += ["--cap-drop=ALL", *(f"--cap-add={name}" for name in sorted(standing.capabilities))]
    if "privilege-escalation" in standing.fixes:
        flags.append("--security-opt=no-new-privileges")
    flags += ["--read-only"] if standing.read_only else []
    flags += [f"--memory={standing.memory}m", f"--memory-swap={standing.memory}m"] if standing.memory else []
    flags += ["--pids-limit=3"] if "unlimited-pids" in standing.fixes else []
    for path, owner in standing.tmpfs.items():
        uid, gid, *more = owner.replace(",", ":").split(":")
        flags.append(f"--tmpfs={path}:{','.join([f'uid={uid}', f'gid={gid}', *more])}")
    done = subprocess.run(["docker", "run", *flags, image, "sh", "-c", script], capture_output=True, text=True, check=False)
    return done.returncode == 0, (done.stderr or done.stdout).strip().rpartition("\n")[2]


def mended(standing: Standing, remedy: Remedy) -> Standing:
    """How a service stands with a remedy, as the search sets it up."""
    owner = standing.user or "0:0"
    match remedy.kind:
        case "capability":
            return standing._replace(capabilities=(standing.capabilities or frozenset()) | set(remedy.value.split()))
        case "tmpfs":
            return standing._replace(tmpfs={**standing.tmpfs, remedy.value: owner})
        case "exec":
            return standing._replace(tmpfs={**standing.tmpfs, remedy.value: f"{standing.tmpfs[remedy.value]},exec"})
        case "memory":
            return standing._replace(memory=(standing.memory or 0) * int(remedy.value))
    standing = standing._replace(fixes=standing.fixes - {remedy.value})
    match remedy.value:
        case "root-user":
            return standing._replace(user="")
        case "excess-capabilities":
            return standing._replace(capabilities=None)
        case "writable-root-filesystem":
            return standing._replace(read_only=False, tmpfs={})
    return standing


STRICT = Standing(fixes=frozenset({"excess-capabilities", "privilege-escalation"}), capabilities=frozenset())
LOCKED = STRICT._replace(read_only=True, fixes=STRICT.fixes | {"writable-root-filesystem"})
UNPRIVILEGED = STRICT._replace(user="2000:2000", fixes=STRICT.fixes | {"root-user"})

BUSYBOX = [
    ("chown app /tmp", STRICT),
    ("chmod 750 /d", STRICT),
    ("ls /private", STRICT),
    ("touch /d/x", STRICT),
    ("echo a >/d/x", STRICT),
    ("su app -c true", STRICT),
    ("setuidgid app true", STRICT),
    ("chroot / true", STRICT),
    ("mknod /tmp/n c 1 3", STRICT),
    ("arping -c 1 -I lo 127.0.0.1 2>&1 | grep . >&2; arping -c 1 -I lo 127.0.0.1 2>&1 | grep -qv permitted", STRICT),
    ("echo a >/tmp/x", LOCKED),
    ("mkdir /run/app", LOCKED),
    ("touch /run/x.pid", LOCKED),
    ("mktemp", LOCKED),
    ("cat <<X\n$(echo a >/tmp/y)\nX\ntest -e /tmp/y", LOCKED),
    ("touch /opt", LOCKED),
    ("cp /bin/busybox /run/true; /run/true", LOCKED._replace(tmpfs={"/run": "0:0"})),
    ("touch /run/app/x", LOCKED._replace(tmpfs={"/run": "0:0"})),
    ("touch /var/cache/app/x 2>&1 >/dev/null || { mkdir -p /var/cache/app && touch /var/cache/app/x; }", LOCKED),
    ("touch /d/x", UNPRIVILEGED),
    ("chown 0 /tmp", UNPRIVILEGED),
    ("su app -c true", UNPRIVILEGED),
    ("ls | cat | cat | cat", Standing(fixes=frozenset({"unlimited-pids"}))),
]
DEBIANS = [
    ("chown www-data /srv", STRICT),
    ("touch /srv/x; cp -p /etc/passwd /tmp/p; chown www-data /tmp/p", STRICT),
    ("setpriv --reuid=33 --regid=33 --clear-groups true", STRICT),
    ("su -s /bin/sh www-data -c true", STRICT),
    ("chroot --userspec=33:33 / true", STRICT._replace(capabilities=frozenset({"SYS_CHROOT"}))),
    ("chroot / true", STRICT),
    ("bash -c 'cat <<<a'", LOCKED),
    ('perl -e \'open(my $f, ">", "/var/tmp/x") or die "Cannot open /var/tmp/x: $!"\'', LOCKED),
    ("setpriv --bounding-set=-chown true", STRICT),
    ('perl -e \'chroot("/srv") or die "chroot: $!"\'', STRICT),
    (
        "bash -c 'setpriv --reuid=33 --clear-groups sleep 9 & sleep 0.5; kill $!'",
        STRICT._replace(capabilities=frozenset({"SETUID", "SETGID"})),
    ),
]


@pytest.mark.engine
@pytest.mark.parametrize(("script", "standing"), BUSYBOX, ids=[f"{script} {standing.user}" for script, standing in BUSYBOX])
def test_the_first_remedy_mends_programs_of_busybox(script: str, standing: Standing, busybox: str) -> None:
    proves(busybox, script, standing)


@pytest.mark.engine
@pytest.mark.parametrize(("script", "standing"), DEBIANS, ids=[script for script, _ in DEBIANS])
def test_the_first_remedy_mends_programs_of_debian(script: str, standing: Standing, debian: str) -> None:
    proves(debian, script, standing)


def proves(image: str, script: str, standing: Standing) -> None:
    works, said = run(image, script, standing)
    assert not works, "nothing to mend"
    found = remedies(Complaint("web", Kind.EXIT, said), standing)
    assert found, said
    works, then = run(image, script, mended(standing, found[0]))
    assert works, f"{said!r}: {found[0]} does not help: {then!r}"
    assert re.search(r"\d{5}", found[0].why) is None
