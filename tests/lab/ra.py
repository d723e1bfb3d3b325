# SPDX-License-Identifier: MIT
"""A router advertisement: ra.py INTERFACE [lifetime S] [prefix P VALID PREFERRED] [dns ADDRESS LIFETIME]
[search NAME LIFETIME] [portal URI] [pref64 PREFIX LIFETIME] [mtu N] ... sent once, from the interface's link-local address."""
import socket
import struct
import sys

interface, words = sys.argv[1], sys.argv[2:]
lifetime, options = 1800, b""


def option(kind, body):
    body += b"\0" * (-(len(body) + 2) % 8)
    return bytes([kind, (len(body) + 2) // 8]) + body


while words:
    what = words.pop(0)
    if what == "lifetime":
        lifetime = int(words.pop(0))
    elif what == "prefix":
        address, bits = words.pop(0).split("/")
        valid, preferred = int(words.pop(0)), int(words.pop(0))
        options += option(3, struct.pack("!BBIII", int(bits), 0xC0, valid, preferred, 0)
                          + socket.inet_pton(socket.AF_INET6, address))
    elif what == "dns":
        address, life = words.pop(0), int(words.pop(0))
        options += option(25, struct.pack("!HI", 0, life) + socket.inet_pton(socket.AF_INET6, address))
    elif what == "search":
        name, life = words.pop(0), int(words.pop(0))
        wire = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"
        options += option(31, struct.pack("!HI", 0, life) + wire)
    elif what == "portal":
        options += option(37, words.pop(0).encode())
    elif what == "pref64":
        address, life = words.pop(0).split("/")[0], int(words.pop(0))
        options += option(38, struct.pack("!H", life // 8 << 3) + socket.inet_pton(socket.AF_INET6, address)[:12])
    elif what == "mtu":
        options += option(5, struct.pack("!HI", 0, int(words.pop(0))))
    else:
        sys.exit("ra.py: %s?" % what)
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex(interface)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
head = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0)
sock.sendto(head + options, ("ff02::1", 0, 0, index))
