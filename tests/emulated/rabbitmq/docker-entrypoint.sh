#!/bin/bash
# As docker-library/rabbitmq docker-entrypoint.sh@9193c1d does.
set -euo pipefail
if [[ $1 == rabbitmq* ]] && [ "$(id -u)" -eq 0 ]; then
  [ "$1" != rabbitmq-server ] || find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq {} +
  exec gosu rabbitmq "$BASH_SOURCE" "$@"
fi
exec "$@"
