#!/bin/sh
# As eclipse-mosquitto/mosquitto docker/2.0-openssl/docker-entrypoint.sh@7b8aba1 does: what cannot be given away stays; the
# broker itself steps down.
set -e
if [ "$(id -u)" -eq 0 ] && [ -d /mosquitto ]; then
  chown -R mosquitto:mosquitto /mosquitto || true
fi
exec "$@"
