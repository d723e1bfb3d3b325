# SPDX-License-Identifier: MIT
"""Listens where `mifcont status` asks: NAME-PREFIX [FILE | mute | flood].

NAME-PREFIX "self" takes the own process number, as the library does; anything else is the name.
FILE is sent as the answer, with PID replaced. Prints its number once it listens.
"""
import os
import socket
import sys
import time

name, how = sys.argv[1], sys.argv[2]
pid = str(os.getpid())
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind("\0mifcont/" + (pid if name == "self" else name))
s.listen(4)
print(pid, flush=True)
if how == "mute":
    time.sleep(60)
while True:
    c, _ = s.accept()
    try:
        if c.recv(64) != b"status\n":
            sys.exit(1)
        if how == "flood":
            for _ in range(40):
                c.sendall(b"[" * 65536)
        else:
            with open(how, encoding="utf-8") as f:
                c.sendall(f.read().replace("PID", pid).encode())
    except OSError:
        pass
    c.close()
