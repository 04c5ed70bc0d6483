#!/bin/sh
# As nginx/docker-nginx entrypoint/docker-entrypoint.sh@0d7f438 does: the start scripts first, and nginx whatever they did not do.
set -e
if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
  find /docker-entrypoint.d/ -follow -type f -name '*.sh' | sort -V | while read -r script; do
    "$script"
  done
fi
exec "$@"
