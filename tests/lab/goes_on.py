# SPDX-License-Identifier: MIT
"""One echo connection all the time; once FILE exists three more, one after the other: goes_on.py HOST PORT FILE"""
import os
import socket
import sys
import time

address = sys.argv[1], int(sys.argv[2])


def talk(sock, message):
    sock.sendall(message)
    got = b""
    while len(got) < len(message):
        data = sock.recv(65536)
        assert data, "ended early"
        got += data
    assert got == message


steady = socket.create_connection(address)
steady.settimeout(30)
n = 0
while not os.path.exists(sys.argv[3]):
    talk(steady, b"%d" % n)
    n += 1
    time.sleep(0.02)
for _ in range(3):
    with socket.create_connection(address) as sock:
        sock.settimeout(30)
        talk(sock, b"more" * 1000)
talk(steady, b"still here" * 1000)
