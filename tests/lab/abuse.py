# SPDX-License-Identifier: MIT
"""What strangers do to an open port: abuse.py HOST PORT"""
import os
import socket
import sys
import time

address = sys.argv[1], int(sys.argv[2])


def send(data):
    try:
        with socket.create_connection(address, 5) as s:
            s.sendall(data)
            s.settimeout(0.2)
            s.recv(1000)
    except OSError:
        pass


# Half-open ones, more than the relay lets stand.
held = []
for _ in range(900):
    try:
        held.append(socket.create_connection(address, 5))
    except OSError:
        break
# Random bytes, then every known message type with a random body of every length class.
for _ in range(50):
    send(os.urandom(1000))
for kind in (1, 2, 3, 4, 5, 0x81, 0x82, 0x83, 0x84, 0xFF):
    for length in (0, 1, 32, 36, 45, 53, 64, 96, 200, 65535):
        send(bytes([kind, 1]) + length.to_bytes(2, "big") + os.urandom(min(length, 4000)))
# A valid HELLO, then garbage on the control connection.
for _ in range(20):
    send(bytes([1, 1, 0, 32]) + os.urandom(32) + os.urandom(500))
# Ten megabytes at once.
try:
    with socket.create_connection(address, 5) as s:
        s.sendall(os.urandom(10_000_000))
except OSError:
    pass
time.sleep(0.5)
