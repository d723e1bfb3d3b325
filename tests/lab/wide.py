# SPDX-License-Identifier: MIT
"""Many quiet flows of one thread: wide.py HOST PORT FLOWS [ROUNDS]

Each has one exchange, then "ready" is printed and a line awaited; after it each has another, one ROUND after the other, and how many milliseconds
that took is printed. Every byte is checked.
"""
import select
import socket
import sys
import time

host, port, flows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
CROWD = 50  # are dialled at the same time
epoll = select.epoll()
socks = {}


def exchange(number):
    def words(flow):
        return b"%d of flow %d\n" % (number, flow)

    waiting = {}
    for fd, (flow, sock) in socks.items():
        sock.sendall(words(flow))
        waiting[fd] = words(flow)
    while waiting:
        got = epoll.poll(8)
        if not got:
            sys.exit(f"{len(waiting)} flows are silent")
        for fd, _ in got:
            data = socks[fd][1].recv(1000)
            if not data or not waiting[fd].startswith(data):
                sys.exit(f"flow {socks[fd][0]}: {data!r} instead of {waiting[fd]!r}")
            waiting[fd] = waiting[fd][len(data):]
            if not waiting[fd]:
                del waiting[fd]


for begin in range(0, flows, CROWD):
    dialled = []
    for i in range(begin, min(begin + CROWD, flows)):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((host, port))
        epoll.register(s.fileno(), select.EPOLLOUT)
        socks[s.fileno()] = (i, s)
        dialled.append(s)
    while dialled:
        got = epoll.poll(8)
        if not got:
            sys.exit(f"{len(dialled)} flows are not connected")
        for fd, _ in got:
            s = socks[fd][1]
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                sys.exit(f"flow {socks[fd][0]} is not connected")
            epoll.modify(fd, select.EPOLLIN)
            dialled.remove(s)
exchange(1)
print("ready", flush=True)
for i in range(int(sys.argv[4]) if len(sys.argv) > 4 else 1):
    sys.stdin.readline()
    begun = time.monotonic()
    exchange(2 + i)
    print(round((time.monotonic() - begun) * 1000), flush=True)
