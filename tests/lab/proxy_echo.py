# SPDX-License-Identifier: MIT
"""A service that insists on the PROXY protocol, version 2, and answers with what it says: proxy_echo.py PORT"""
import ipaddress
import socket
import struct
import sys

listener = socket.create_server(("", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    sock, _ = listener.accept()
    with sock:
        head = sock.recv(16, socket.MSG_WAITALL)
        if len(head) < 16 or head[:12] != b"\r\n\r\n\0\r\nQUIT\n" or head[12] != 0x21:
            sock.sendall(b"no header\n")
            continue
        length = struct.unpack("!H", head[14:])[0]
        rest = sock.recv(length, socket.MSG_WAITALL)
        size = 4 if head[13] == 0x11 else 16
        source = ipaddress.ip_address(rest[:size])
        target = ipaddress.ip_address(rest[size:2 * size])
        port = struct.unpack("!H", rest[2 * size + 2:2 * size + 4])[0]
        sock.sendall(f"from {source} to {target} port {port}\n".encode())
