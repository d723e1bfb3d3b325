# SPDX-License-Identifier: MIT
"""A router advertisement: ra.py INTERFACE [lifetime S] [prefix P VALID PREFERRED] [dns ADDRESS LIFETIME]
[search NAME LIFETIME] [portal URI] [pref64 PREFIX LIFETIME] [mtu N] ... sent once, from the interface's link-local address.
After pvd NAME SEQUENCE DELAY FLAGS (of h, l, r; - for none) what follows is within that option; after r this has a header of
its own, with the lifetime that comes next. hops N and from ADDRESS: forged."""
import socket
import struct
import sys

interface, words = sys.argv[1], sys.argv[2:]
lifetime, options, hops, source, domain = 1800, b"", 255, None, None


def option(kind, body):
    body += b"\0" * (-(len(body) + 2) % 8)
    return bytes([kind, (len(body) + 2) // 8]) + body


def wire_name(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"


def header(life):
    return struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, life, 0, 0)


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
        options += option(31, struct.pack("!HI", 0, life) + wire_name(name))
    elif what == "portal":
        options += option(37, words.pop(0).encode())
    elif what == "pref64":
        address, life = words.pop(0).split("/")[0], int(words.pop(0))
        options += option(38, struct.pack("!H", life // 8 << 3) + socket.inet_pton(socket.AF_INET6, address)[:12])
    elif what == "mtu":
        options += option(5, struct.pack("!HI", 0, int(words.pop(0))))
    elif what == "hops":
        hops = int(words.pop(0))
    elif what == "from":
        source = words.pop(0)
    elif what == "pvd":
        name, sequence, delay, flags = (words.pop(0) for _ in range(4))
        bits = sum(b for f, b in (("h", 0x8000), ("l", 0x4000), ("r", 0x2000)) if f in flags)
        domain = struct.pack("!HH", bits | int(delay), int(sequence)) + wire_name(name)
        domain += b"\0" * (-(len(domain) + 2) % 8)
        if "r" in flags:
            domain += header(int(words.pop(0)))
        outer, options = options, b""
    else:
        sys.exit("ra.py: %s?" % what)
if domain:
    options = outer + option(21, domain + options)
sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
index = socket.if_nametoindex(interface)
sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
if source:
    sock.bind((source, 0, 0, index))
sock.sendto(header(lifetime) + options, ("ff02::1", 0, 0, index))
