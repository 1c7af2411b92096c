#!/bin/sh
# Makes a new, empty database: new_database.sh FLAG… Names are ordered by their bytes.
set -eu
exec "/usr/lib/postgresql/$POSTGRES_MAJOR/bin/initdb" --data-checksums --encoding=UTF8 --locale=C \
  --auth-local=peer --auth-host=reject "$@"
