# SPDX-License-Identifier: MIT
"""One flow kept busy, then others opened and closed: descriptors and threads must not grow.
echo_leak.py HOST PORT"""
import os
import socket
import sys
import time


def count():
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def talk(sock, message):
    sock.sendall(message)
    got = b""
    while len(got) < len(message):
        data = sock.recv(65536)
        if not data:
            raise EOFError
        got += data
    assert got == message


address = sys.argv[1], int(sys.argv[2])
steady = socket.create_connection(address)
steady.settimeout(30)
talk(steady, b"first")
time.sleep(0.5)
before = count()
end = time.monotonic() + 5
n = 0
while time.monotonic() < end:
    with socket.create_connection(address) as sock:
        sock.settimeout(30)
        talk(sock, b"x" * 1000)
    talk(steady, b"still here %d" % n)
    n += 1
    time.sleep(0.02)
# Handovers under way hold some descriptors for a moment.
for _ in range(100):
    time.sleep(0.1)
    after = count()
    if after[0] <= before[0] + 2 and after[1] <= before[1]:
        sys.exit(0)
print(f"descriptors and threads: {before} before, {after} after {n} connections")
sys.exit(1)
