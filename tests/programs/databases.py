# SPDX-License-Identifier: MIT
"""Many short statements by PyMySQL and psycopg2 at once: databases.py HOST MYSQL-PORT POSTGRES-PORT"""
import sys
import threading

import psycopg2
import pymysql

host, my, pg = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sums = {}


def ask(name, connection):
    cursor, total = connection.cursor(), 0
    for i in range(300):
        cursor.execute("SELECT %s + 1, REPEAT('x', 500)", (i,))
        total += cursor.fetchone()[0]
    sums[name] = total


threads = [threading.Thread(target=ask, args=("my", pymysql.connect(host=host, port=my, user="mifcont"))),
           threading.Thread(target=ask, args=("pg", psycopg2.connect(host=host, port=pg, user="mifcont", dbname="postgres")))]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(sums.items()))
