#!/bin/sh
# As the script of this name does, with sed for one variable instead of gettext's envsubst.
set -e
from=/etc/nginx/templates to=/etc/nginx/conf.d
[ -d $from ] || exit 0
[ -w $to ] || exit 0
find $from -follow -type f -name '*.template' | while read -r template; do
  name=${template#$from/}
  mkdir -p "$to/$(dirname "$name")"
  sed "s|\${GREETING}|$GREETING|g" "$template" >"$to/${name%.template}"
done
