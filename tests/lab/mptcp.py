# SPDX-License-Identifier: MIT
"""Multipath TCP: mptcp.py serve PORT | mptcp.py talk HOST PORT tcp|mptcp SECONDS

talk: makes a socket of that kind, exchanges a line each 20 ms and checks it; prints the protocol that the connection
has, and whether it has fallen back to TCP.
"""
import select
import socket
import sys
import threading
import time

MPTCP = 262
SOL_MPTCP, MPTCP_INFO = 284, 1


def answer(conn):
    while data := conn.recv(65536):
        conn.sendall(data)


def serve(port):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("", port))
    s.listen()
    while True:
        threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()


def multipath(sock):
    try:
        sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
    except OSError:
        return "alone"
    return "multipath"


def talk(host, port, kind, seconds):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP if kind == "mptcp" else 0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    # Registered before, as event loops do.
    poll = select.epoll()
    poll.register(sock, select.EPOLLOUT)
    sock.connect_ex((host, port))
    if not poll.poll(5) or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        sys.exit("not connected")
    poll.modify(sock, select.EPOLLIN)
    sock.settimeout(10)
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1
        line = b"%d\n" % number
        sock.sendall(line)
        if not poll.poll(10):
            sys.exit("silent")
        got = sock.recv(100)
        if got != line:
            sys.exit(f"{got!r} instead of {line!r}")
        time.sleep(0.02)
    protocol = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    nodelay = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    print("mptcp" if protocol == MPTCP else "tcp", multipath(sock), nodelay)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    talk(sys.argv[2], int(sys.argv[3]), sys.argv[4], float(sys.argv[5]))
