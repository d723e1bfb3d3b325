# SPDX-License-Identifier: MIT
"""Says which lines came, and at which of its addresses: lines.py PORT"""
import socket
import sys
import threading


def serve(c):
    at = c.getsockname()[0].replace("::ffff:", "")
    for line in c.makefile():
        print(at, line.rstrip("\n"), flush=True)


s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
