# SPDX-License-Identifier: MIT
# 300 single inserts, each its own transaction; then what is there.
sql() { psql -qAt -h 10.9.0.2 -p 5433 -U mifcont postgres "$@"; }
sql -c 'TRUNCATE rows'
seq 300 | sed 's/.*/INSERT INTO rows VALUES (&);\nSELECT pg_sleep(0.01);/' | sql >/dev/null || exit 1
sql -c 'SELECT count(*), sum(n), count(DISTINCT n) FROM rows'
