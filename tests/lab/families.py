#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""families.py HOST PORT: an echo client that looks at its socket as a program does.

Each line on its input is sent and has to come back; then what the socket says of itself must be what it said at first,
and the options of its family must work.
One line of output for each."""
import socket
import sys

host, port = sys.argv[1], int(sys.argv[2])
s = socket.create_connection((host, port))
family = s.family
s.settimeout(20)
lines = s.makefile("rb")


def looks():
    level, option = (socket.IPPROTO_IPV6, socket.IPV6_TCLASS) if family == socket.AF_INET6 else (
        socket.IPPROTO_IP, socket.IP_TOS)
    s.setsockopt(level, option, 16)
    return (s.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), s.getpeername(), s.getsockname(),
            s.getsockopt(level, option))


first = looks()
assert first[0] == family, first
for line in sys.stdin.buffer:
    s.sendall(line)
    got = lines.readline()
    now = looks()
    if got != line or now != first:
        print("wrong", got, now, first, flush=True)
        sys.exit(1)
    print("same", first[1][0], flush=True)
