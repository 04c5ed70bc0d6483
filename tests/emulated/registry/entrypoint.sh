#!/bin/sh
# As distribution/distribution-library-image entrypoint.sh@a829ed8 does: a configuration, or a command of the registry's own.
set -e
case $1 in
  *.yaml | *.yml) set -- registry serve "$@" ;;
  serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
