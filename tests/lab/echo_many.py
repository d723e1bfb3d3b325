# SPDX-License-Identifier: MIT
"""
Many echo flows at once, every byte checked: echo_many.py HOST PORT FLOWS BYTES

Each sends BYTES at least, and goes on until standard input ends: however fast the machine is, they last as long as
whatever is done to them.
"""
import socket
import sys
import threading
import time

host, port, flows, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
failures = []
enough = threading.Event()


def pattern(flow, offset, length):
    cycle = bytes((flow * 7 + k) & 255 for k in range(256))
    start = offset % 256
    return (cycle * (length // 256 + 2))[start:start + length]


def run(flow):
    try:
        sock = socket.create_connection((host, port))
        sock.settimeout(60)

        sent = 0

        def write():
            nonlocal sent
            while sent < size or not enough.is_set():
                piece = 16384 if sent >= size else min(16384, size - sent)
                sock.sendall(pattern(flow, sent, piece))
                sent += piece
                time.sleep(0.01)
            sock.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        got = 0
        while data := sock.recv(65536):
            if data != pattern(flow, got, len(data)):
                raise ValueError(f"wrong bytes near {got}")
            got += len(data)
        writer.join()
        if got != sent:
            raise ValueError(f"{got} bytes of {sent}")
    except Exception as error:
        failures.append(f"flow {flow}: {error}")


threads = [threading.Thread(target=run, args=(i,)) for i in range(flows)]
for thread in threads:
    thread.start()
sys.stdin.read()
enough.set()
for thread in threads:
    thread.join()
print("\n".join(failures[:10]))
sys.exit(bool(failures))
