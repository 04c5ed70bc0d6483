#!/bin/sh
# As docker-library/haproxy docker-entrypoint.sh@ec437dd does: with a master, and in the foreground.
set -e
case $1 in
  -*) set -- haproxy "$@" ;;
esac
if [ "$1" = haproxy ]; then
  shift
  set -- haproxy -W -db "$@"
fi
exec "$@"
