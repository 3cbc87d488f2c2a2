#!/bin/bash
# Asks the questions in the file $1, one a line, one psql after another. PSQL is the client; PGHOST, PGPORT,
# PGDATABASE and PGUSER say where.
set -eu
while IFS= read -r query; do
  "$PSQL" --no-psqlrc -c "$query" </dev/null
done <"$1"
