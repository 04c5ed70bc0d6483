#!/bin/bash
# As docker-library/postgres docker-entrypoint.sh@6edb0a8 does: root makes and gives away directories and becomes postgres,
# who makes a cluster in an empty one, starts it for a moment without TCP, and then for good.
set -eo pipefail
[[ $1 != -* ]] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

mkdir -p "$PGDATA"
chmod 0700 "$PGDATA" || true
mkdir -p /var/run/postgresql || true
chmod 3775 /var/run/postgresql || true
if [ -n "$POSTGRES_INITDB_WALDIR" ]; then
  mkdir -p "$POSTGRES_INITDB_WALDIR"
  [ "$(id -u)" -ne 0 ] || find "$POSTGRES_INITDB_WALDIR" ! -user postgres -exec chown postgres {} +
  chmod 0700 "$POSTGRES_INITDB_WALDIR"
fi
if [ "$(id -u)" -eq 0 ]; then
  find "$PGDATA" ! -user postgres -exec chown postgres {} +
  find /var/run/postgresql ! -user postgres -exec chown postgres {} +
  exec gosu postgres "$BASH_SOURCE" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  ls /docker-entrypoint-initdb.d >/dev/null
  initdb --username=postgres --pwfile=<(echo "$POSTGRES_PASSWORD") ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"}
  echo "host all all all $(postgres -C password_encryption)" >>"$PGDATA/pg_hba.conf"
  PGUSER=postgres pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  psql -v ON_ERROR_STOP=1 -U postgres -d postgres -c 'SELECT 1' >/dev/null
  PGUSER=postgres pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
