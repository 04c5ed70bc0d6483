#!/bin/sh
# As docker-library/memcached docker-entrypoint.sh@53ac0ec does.
set -e
case $1 in
  -*) set -- memcached "$@" ;;
esac
exec "$@"
