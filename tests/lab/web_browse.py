#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fetches random files and parts of files over connections that are kept: web_browse.py URL FOLDER COUNT SEED

FOLDER has what the server has. Every body is compared; exit status 1, with a word, for any other byte or error.
"""
import http.client
import os
import random
import sys
import urllib.parse

url, folder, count, r = urllib.parse.urlparse(sys.argv[1]), sys.argv[2], int(sys.argv[3]), random.Random(int(sys.argv[4]))
files = {name: open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder))
         if os.path.isfile(os.path.join(folder, name))}
connections = [http.client.HTTPConnection(url.hostname, url.port, timeout=60) for _ in range(2)]
for n in range(count):
    c, name = r.choice(connections), r.choice(list(files))
    want, fields = files[name], {}
    if want and r.random() < 0.4:
        first = r.randrange(len(want))
        last = min(len(want) - 1, first + r.randrange(1, 1 + len(want)))
        fields["Range"] = "bytes=%d-%d" % (first, last)
        want = want[first:last + 1]
    method = "HEAD" if r.random() < 0.1 else "GET"
    try:
        c.request(method, "/" + name, headers=fields)
        answer = c.getresponse()
        got = b""
        while piece := answer.read(r.choice([100, 4096, 65536, 1000000])):
            got += piece
    except (OSError, http.client.HTTPException) as e:
        sys.exit("%s %s %s: %r" % (method, name, fields, e))
    if answer.status not in (200, 206) or got != (want if method == "GET" else b""):
        sys.exit("%s %s %s: %d, other bytes" % (method, name, fields, answer.status))
