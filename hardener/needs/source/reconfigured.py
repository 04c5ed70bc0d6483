"""Daemons whose configuration is written before they start, so that the one in the image is not what they get. Knows no shell."""

from __future__ import annotations

from hardener.needs.source.places import is_inside
from hardener.needs.source.uses import EVERYTHING, MEMORY, PORTS, THREADS, USERS, WRITES, Doubt, Uses

#: Daemons, where their configuration is, and what depends on it.
CONFIGURED = (
    (("cron", "crond"), ("/etc/crontab", "/etc/cron.d", "/etc/crontabs"), EVERYTHING),
    (("supervisord",), ("/etc/supervisor", "/etc/supervisord.conf"), EVERYTHING),
    (("nginx",), ("/etc/nginx",), frozenset((WRITES, PORTS, USERS))),
    (("apache2", "apache2ctl", "apachectl", "httpd"), ("/etc/apache2",), EVERYTHING),
    (("php-fpm",), ("/etc/php", "/usr/local/etc/php-fpm.d"), EVERYTHING),
    (("haproxy",), ("/etc/haproxy", "/usr/local/etc/haproxy"), EVERYTHING),
    (("redis-server",), ("/etc/redis",), frozenset((WRITES, PORTS, MEMORY, THREADS))),
    (("sshd",), ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d"), EVERYTHING),
)


def reconfigured(found: Uses) -> Uses:
    """The same uses, in doubt where a daemon's configuration is written that was read as it is in the image."""
    names = {"php-fpm" if named.name.startswith("php-fpm") else named.name for named in found.runs}
    for daemons, folders, about in CONFIGURED:
        running = names.intersection(daemons)
        write = next((w for w in found.writes if any(is_inside(w.path, folder) for folder in folders)), None)
        if running and write is not None:
            text = f"what `{min(running)}` does with {write.path}, which `{write.evidence.source}` writes"
            found = found._replace(doubts=(*found.doubts, Doubt(about, text)))
    return found
