#!/bin/sh
# As nodejs/docker-node docker-entrypoint.sh@f27d936 does: what is no command is meant for node.
set -e
if [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null || { [ -f "$1" ] && [ ! -x "$1" ]; }; then
  set -- node "$@"
fi
exec "$@"
