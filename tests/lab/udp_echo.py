# SPDX-License-Identifier: MIT
"""udp_echo.py server PORT | dns PORT | connected HOST PORT [OWN-ADDRESS] | unconnected HOST PORT [OWN-ADDRESS]

The clients exchange 40 datagrams, one each 100 ms; at most two may be lost."""
import socket
import sys
import time

mode = sys.argv[1]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if mode in ("server", "dns"):
    sock.bind(("0.0.0.0", int(sys.argv[2])))
    while True:
        data, peer = sock.recvfrom(2000)
        if mode == "dns":
            # The question comes back with one A record, 192.0.2.1.
            end = data.index(b"\0", 12) + 5
            data = (data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + data[12:end] +
                    b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1")
        sock.sendto(data, peer)

address = sys.argv[2], int(sys.argv[3])
if len(sys.argv) > 4:
    sock.bind((sys.argv[4], 0))
if mode == "connected":
    sock.connect(address)
sock.settimeout(0.3)
good = 0
for i in range(40):
    message = b"message %d" % i
    try:
        if mode == "connected":
            sock.send(message)
        else:
            sock.sendto(message, address)
        while sock.recv(2000) != message:
            pass
        good += 1
    except OSError:
        pass
    time.sleep(0.1)
print(good, "of 40")
sys.exit(good < 38)
