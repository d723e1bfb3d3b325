# SPDX-License-Identifier: MIT
"""A name server for the lab: dns.py ADDRESS[%INTERFACE] NAME=ADDRESS[@FROM-PREFIX] ...

Answers A and AAAA from its arguments; with @PREFIX only askers whose address begins so. Others get NXDOMAIN."""
import socket
import struct
import sys

zone = []
for entry in sys.argv[2:]:
    name, value = entry.split("=")
    address, _, asker = value.partition("@")
    zone.append((name.lower(), address, asker))
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
address, _, interface = sys.argv[1].partition("%")
sock.bind((address, 53, 0, socket.if_nametoindex(interface)) if interface else (address, 53))
while True:
    query, peer = sock.recvfrom(512)
    try:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        kind, _ = struct.unpack("!HH", query[at + 1:at + 5])
        question = query[12:at + 5]
    except (IndexError, struct.error, UnicodeDecodeError):
        continue
    name = ".".join(labels).lower()
    known = [a for n, a, asker in zone if n == name and peer[0].startswith(asker)]
    family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
    answers = [socket.inet_pton(family, a) for a in known if family and (":" in a) == (kind == 28)]
    head = struct.pack("!HHHHHH", *struct.unpack("!H", query[:2]), 0x8180 if known else 0x8183, 1, len(answers), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(a)) + a for a in answers)
    sock.sendto(head + question + body, peer)
    print(peer[0], name, kind, known, flush=True)
