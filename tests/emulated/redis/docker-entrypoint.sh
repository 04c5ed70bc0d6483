#!/bin/sh
# As docker-library/redis docker-entrypoint.sh@e920499 does: root gives the working directory away, and becomes redis.
set -e
case $1 in
  -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" -eq 0 ]; then
  find . ! -user redis -exec chown redis {} +
  exec gosu redis "$0" "$@"
fi
# What the server writes is private, unless the caller wanted otherwise.
[ "$(umask)" != 0022 ] || umask 0077
# The published server is built without protected mode.
[ "$1" != redis-server ] || set -- "$@" --protected-mode no
exec "$@"
