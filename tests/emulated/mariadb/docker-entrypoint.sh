#!/bin/bash
# As MariaDB/mariadb-docker docker-entrypoint.sh@1b6429b does: what root cannot give away it passes over; then it becomes
# mysql, who makes the tables, starts for a moment without TCP to set the password, and then for good.
set -eo pipefail
shopt -s nullglob
[[ $1 != -* ]] || set -- mariadbd "$@"
[ "$1" = mariadbd ] || [ "$1" = mysqld ] || exec "$@"

# The configuration is tried first, as whoever starts it.
"$@" --verbose --help >/dev/null
data=/var/lib/mysql socket=/run/mysqld/mysqld.sock
mkdir -p "$data"
if [ "$(id -u)" -eq 0 ]; then
  find "$data" ! -user mysql \( -exec chown mysql: {} + -o -true \)
  find "${socket%/*}" -maxdepth 0 ! -user mysql \( -exec chown mysql: {} \; -o -true \)
  exec gosu mysql "$BASH_SOURCE" "$@"
fi

if [ ! -d "$data/mysql" ]; then
  mariadb-install-db --datadir="$data" --rpm --auth-root-authentication-method=normal --skip-test-db >/dev/null
  "$@" --skip-networking --socket="$socket" &
  for _ in {1..30}; do
    mariadb --socket="$socket" -uroot -e 'SELECT 1' >/dev/null 2>&1 && break
    sleep 1
  done
  mariadb --socket="$socket" -uroot <<SQL
CREATE USER root@'%' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
SET PASSWORD FOR root@localhost = PASSWORD('$MARIADB_ROOT_PASSWORD');
SQL
  kill %1
  wait %1
fi
exec "$@"
