# SPDX-License-Identifier: MIT
"""A service that answers each connection with some bytes and a reset, and a client that must get both.

resets.py serve PORT            how many bytes: what the client writes
resets.py witness PORT          a service that tells how its connections end
resets.py abort HOST PORT       a client that closes by a reset at a line on its standard input, and lives on until that ends
resets.py once PORT             a service that reads a little and closes
resets.py pour PORT             a service that reads a little, pours out 12 MB and closes
resets.py slow HOST PORT        a client that writes all the time, and reads the 12 MB at its leisure
resets.py write HOST PORT       a client that only writes: how long until it hears that nobody reads, 20 s at most
resets.py HOST PORT WAY TIMES   WAY is block or epoll; prints what it got otherwise than it must, and ends with status 1
"""
import select
import socket
import struct
import sys
import time

POURED = 12_000_000


def serve(port):
    listener = socket.create_server(("", port), backlog=50)
    while True:
        c, _ = listener.accept()
        c.sendall(b"x" * int(c.recv(10)))
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        c.close()


def witness(port):
    listener = socket.create_server(("", port))
    while True:
        c, _ = listener.accept()
        print(f"got {len(c.recv(10))}", flush=True)
        c.sendall(b"y")
        try:
            print("end" if c.recv(10) == b"" else "more", flush=True)
        except ConnectionResetError:
            print("reset", flush=True)
        c.close()


def read_once(port):
    listener = socket.create_server(("", port))
    while True:
        c, _ = listener.accept()
        c.recv(100)
        c.close()


def write(host, port):
    with socket.create_connection((host, port)) as s:
        for i in range(200):
            try:
                s.send(b"x" * 100)
            except (BrokenPipeError, ConnectionResetError) as e:
                return print(type(e).__name__)
            time.sleep(0.1)
    return "nobody said that it is over"


def abort(host, port):
    with socket.create_connection((host, port)) as s:
        s.sendall(b"hello")
        s.recv(1)
        sys.stdin.readline()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sys.stdin.read()


def pour(port):
    listener = socket.create_server(("", port))
    while True:
        c, _ = listener.accept()
        c.recv(100)
        c.sendall(b"z" * POURED)
        c.close()


def slow(host, port):
    got = 0
    with socket.create_connection((host, port)) as s:
        s.settimeout(20)
        try:
            s.sendall(b"x" * 100)
            time.sleep(1)
            while piece := s.recv(100000):
                got += len(piece)
                time.sleep(0.02)
                s.send(b"x" * 100)
        except (BrokenPipeError, ConnectionResetError):
            pass
    return None if got else "nothing has come"


def once(host, port, way, size):
    got = 0
    with socket.create_connection((host, port)) as s:
        s.sendall(b"%d" % size)
        s.settimeout(20)
        if way == "epoll":
            s.setblocking(False)
            ready = select.epoll()
            ready.register(s.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        try:
            while True:
                if way == "epoll" and not ready.poll(20):
                    return f"nothing after {got} bytes"
                piece = s.recv(300)
                if not piece:
                    return f"an end after {got} bytes"
                got += len(piece)
        except BlockingIOError:
            return f"an event for nothing after {got} bytes"
        except ConnectionResetError:
            return None if got == size else f"a reset after {got} bytes"
        except OSError as e:
            return f"{e} after {got} bytes"


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
if sys.argv[1] == "witness":
    witness(int(sys.argv[2]))
if sys.argv[1] == "once":
    read_once(int(sys.argv[2]))
if sys.argv[1] == "write":
    sys.exit(write(sys.argv[2], int(sys.argv[3])))
if sys.argv[1] == "pour":
    pour(int(sys.argv[2]))
if sys.argv[1] == "slow":
    sys.exit(slow(sys.argv[2], int(sys.argv[3])))
if sys.argv[1] == "abort":
    sys.exit(abort(sys.argv[2], int(sys.argv[3])))
host, port, way, times = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
for i in range(times):
    size = (0, 1000)[i % 2]
    wrong = once(host, port, way, size)
    if wrong:
        sys.exit(f"connection {i}, {size} bytes and a reset: {wrong}")
