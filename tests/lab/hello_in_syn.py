# SPDX-License-Identifier: MIT
"""Says HELLO to a relay, in the SYN and after it: hello_in_syn.py HOST PORT. What the relay says to each is printed."""
import os
import socket
import sys

NO_COOKIE = 34
relay = (sys.argv[1], int(sys.argv[2]))
# A key that is a valid one: any 32 bytes are.
hello = bytes([1, 1, 0, 32]) + os.urandom(32)


def answer(sock):
    sock.settimeout(5)
    try:
        got = sock.recv(4)
    except ConnectionResetError:
        return "reset"
    return f"{got[0]:#04x}" if got else "end"


with socket.socket() as sock:
    sock.setsockopt(socket.IPPROTO_TCP, NO_COOKIE, 1)
    try:
        sock.sendto(hello, socket.MSG_FASTOPEN, relay)
        print("in the SYN:", answer(sock))
    except ConnectionResetError:
        print("in the SYN: reset")
with socket.create_connection(relay) as sock:
    sock.sendall(hello)
    print("after it:", answer(sock))
