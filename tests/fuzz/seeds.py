#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the binary seeds: seeds.py DIRECTORY makes DIRECTORY/server, client, http, netlink, ra and others.

Steps are numbered as in the tables at the end of tests/fuzz/fuzz_*.c.
"""
import os
import struct
import sys


def write(target, name, data):
    os.makedirs(os.path.join(sys.argv[1], target), exist_ok=True)
    with open(os.path.join(sys.argv[1], target, name), "wb") as f:
        f.write(bytes(data))


def near(kind, *more):
    """take_near(): 0 low, 1 high, 2 within, 3 below, 4 above ..."""
    return [kind, *more]


SOUND = [0]  # take_damage(): none


def server():
    (raw, hello, attach, opened, resume, commit, record, from_target, to_client, from_client,
     to_target, target_end, lost, uncover, limit, standby) = range(16)
    request = [4, 127, 0, 0, 1] + [0] * 12 + [0, 22, 0, 0, 4, 0, 0] + [4, *b"host"] + [0] * 299
    ask_resume = [resume, 0] + near(0) + near(0) + [1] + SOUND

    def ack(count):
        return [record, 1] + [0] * 25 + [1] + count + SOUND

    def eof(kind, end):
        return [record, kind] + [0] * 16 + [1] + end + SOUND

    write("server", "hello", [hello] + list(range(32)))
    write("server", "attach", ([attach] + near(4, 1) + SOUND) * 3)
    write("server", "standby", ([standby] + near(4, 1) + SOUND) * 3)
    write("server", "open", ([opened] + near(4, 1) + [0] + request + [1] + SOUND) * 3)
    write("server", "raw", [raw, 0, 69, 4, 1, 0, 65] + [7] * 65)
    flow = [from_target, 200, to_client, 0, 200, from_client, 0, 150, to_target, 99]
    write("server", "flow", (flow + ack(near(1))) * 4)
    write("server", "resume", flow + ask_resume + [to_client, 1, 255, commit, 1, 0] + near(0) + near(0) + SOUND
          + [from_client, 1, 40, to_target, 99, from_target, 255, to_client, 1, 255] + ack(near(1)))
    write("server", "attempts", flow + ask_resume * 5 + [lost, 0, lost, 2] + flow)
    write("server", "uncovered", [from_target, 255, to_client, 0, 255, uncover, from_target, 90]
          + ask_resume + [to_client, 1, 255, from_target, 90, commit, 1, 0] + near(3, 200) + near(0) + SOUND)
    write("server", "ends", flow + eof(3, near(1)) + [target_end, 0, to_client, 0, 255] + eof(5, near(1)) + [limit, 9])


def client():
    raw, welcome, attached, opened, resume, resumed, commit, record, ready = range(9)
    answer = [0, 0, 0, 0, 0, 0, 4, 0] + [0] + [4, 127, 0, 0, 1] + [0] * 12 + [0x1c, 0xaf]
    write("client", "welcome", [welcome, 1, 1, 1, 4, 127, 0, 0, 1] + [0] * 12 + [28, 175] + SOUND + [welcome, 0, 0, 0, 32] + [5] * 32 + SOUND)
    write("client", "attached", [attached, 1, 1] + SOUND)
    write("client", "ready", [ready, 1, 1] + SOUND)
    write("client", "opened", [opened, 1, 0] + answer + SOUND)
    write("client", "resume", ([resume, 0, 0, 9, resumed, 0, 0, 1] + near(0) + near(6, 0) + [3] * 16 + SOUND
                               + [commit, 0] + near(0) + [0, 5]) * 2)
    for kind, length in enumerate((1, 9, 26, 9, 17, 13, 17, 9, 9, 9, 1)):
        write("client", "record%d" % kind, [record, kind] + [1] * length + SOUND)
    write("client", "refused", [raw, 0, 5, 0xff, 1, 0, 1, 7])


def netlink():
    (link, address, route, message, junk, ask, whole, end, trouble, time, flush, world) = range(12)
    event = [0, 0]  # feed_header(), feed()
    up, down, delete = [2, 8, 0], [2, 0, 0, 0], [2, 16, 0, 0]
    write("netlink", "up", [1, link] + up + event + [flush])
    write("netlink", "down", [1, link] + down + event + [flush, link] + up + event)
    write("netlink", "deleted", [1, link] + delete + event + [flush, link] + up + event)
    write("netlink", "address", [1, address, 2, 0, 1, 24] + event + [address, 34, 0, 1, 24] + event)
    write("netlink", "route", [1, route, 10, 1, 24, 0] + event + [route, 2, 0xc9, 0, 0] + event)
    # Two next hops, and the length of the second is not what it was.
    write("netlink", "nexthops", [1, route, 10, 0xc0, 24, 0] + event
          + [route, 10, 0xc1, 24, 0, 8, 32, 0, 255, 0])
    write("netlink", "dump", [0] + [ask, 1, whole] * 4 + [world, 0x57, trouble, 0] + [ask, 1, whole] * 4)
    write("netlink", "broken-dump", [1, trouble, 0] + [ask, 1, end, 1] * 6 + [ask, 1, trouble, 1, whole])
    # A link's own bytes: index 2, up, its MTU and name.
    body = struct.pack("=BxHiII", 0, 1, 2, 0x10043, 0) + struct.pack("=HHI", 8, 4, 1500) + struct.pack("=HH8s", 12, 3, b"wlan0")
    write("netlink", "message", [1, message, 0, len(body), 1] + list(body) + event)


def status():
    def program(loader, section):
        names = b"\0" + section + b"\0"
        e = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 128, 0, 64, 56, 1, 64, 2, 1)
        p = struct.pack("<IIQQQQQQ", 3 if loader else 1, 4, 256, 0, 0, len(loader), len(loader), 1)
        s = struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, 0, 0, 0, 0, 1, 0)
        n = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 320, len(names), 0, 0, 1, 0)
        return (e + p).ljust(128, b"\0") + s + n + loader.ljust(64, b"\0") + names

    write("status", "dynamic", program(b"/lib64/ld-linux-x86-64.so.2\0", b".text"))
    write("status", "musl", program(b"/lib/ld-musl-x86_64.so.1\0", b".text"))
    write("status", "go", program(b"", b".note.go.buildid"))


def reply():
    for kind in b"\0", b"\1":
        for name, text in {
            "right": b"204 No Content\r\n\r\n",
            "empty": b"200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n",
            "body": b"200 OK\r\nServer: x\r\n\r\nonline",
            "portal": b"302 Found\r\nLocation: http://portal.example/\r\n\r\n",
        }.items():
            write("reply", f"{name}{kind[0]}", kind + b"HTTP/1.1 " + text)


def ra():
    head = bytes([134, 0, 0, 0, 64, 0x48, 7, 8]) + bytes(8)
    ip = bytes.fromhex("20010db8000000000000000000000053")
    name = b"\3pvd\7example\0"
    options = {
        "prefix": struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 600, 0) + ip,
        "route": struct.pack("!BBBBI", 24, 3, 48, 8, 300) + ip,
        "mtu": struct.pack("!BBHI", 5, 1, 0, 1400),
        "rdnss": struct.pack("!BBHI", 25, 5, 0, 1200) + ip * 2,
        "dnssl": struct.pack("!BBHI", 31, 4, 0, 1200) + name + b"\3lab\0\0\0\0\0\0",
        "portal": bytes([37, 3]) + b"https://p.example/api".ljust(22, b"\0"),
        "pref64": struct.pack("!BBH", 38, 2, 75 << 3 | 1) + ip[:12],
    }
    inner = options["prefix"] + options["rdnss"]
    options["domain"] = struct.pack("!BBBBH", 21, 3, 0xc0, 5, 9) + name + bytes(5)
    options["nested"] = struct.pack("!BBBBH", 21, 5 + len(inner) // 8, 0xe0, 5, 9) + name + bytes(5) + head + inner
    for kind, o in options.items():
        write("ra", kind, b"\1" + head + o)
        message = struct.pack("=BBHiBBHI", 10, 0, len(o), 2, 134, 0, 0, 0) + o + struct.pack("=HH", 20, 1) + ip
        write("ra", "kernel-" + kind, b"\0" + struct.pack("=IHHII", 16 + len(message), 68, 0, 0, 0) + message)
    write("ra", "all", b"\1" + head + b"".join(options.values()))


def http():
    def said(who, text):
        out = b""
        for i in range(0, len(text), 100):
            out += bytes([who | len(text[i:i + 100])]) + text[i:i + 100]
        return out

    get = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    tag = b'ETag: "a"\r\n'
    head = b"HTTP/1.1 200 OK\r\n"
    for name, asked, answered in [
            ("length", get, head + b"Content-Length: 9\r\n\r\n12345"),
            ("chunks", get, head + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"),
            ("close", get, head + b"Connection: close\r\n\r\n12345"),
            ("head", b"HEAD / HTTP/1.1\r\n\r\n", head + b"Content-Length: 9\r\n\r\n"),
            ("continue", b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nab",
             b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n"),
            ("many", get * 5, (head + b"Content-Length: 1\r\n\r\nx") * 4)]:
        write("http", name, b"\0" + said(0x80, asked) + said(0, answered))
    old = head + b"Content-Length: 100\r\n" + tag + b"\r\n"
    dated = (head + b"Content-Length: 100\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
             b"Date: Sun, 06 Nov 1995 08:49:37 GMT\r\n\r\n")
    part = b"HTTP/1.1 206 P\r\nContent-Length: 95\r\n" + tag + b"Content-Range: bytes 5-99/100\r\n\r\n"
    for name, a, b in [("part", old, part), ("whole", old, old), ("dated", dated, dated), ("parts", part, part)]:
        pieces = b"".join(struct.pack(">H", len(x)) + x for x in (a, b, get))
        write("http", name, b"\1" + struct.pack(">H", 5) + pieces)


def frame():
    body = bytes(range(65, 91)) * 20
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 100]), body[i:i + 100]) for i in range(0, len(body), 100))
    for name, flags, read, length, rest in [
            ("sized", 0, b"5\r\nab", len(body), body), ("chunks", 6, b"5\r\nab", None, chunks + b"0\r\n\r\n"),
            ("known", 2, b"1", len(body), chunks + b"0\r\n\r\n"), ("raw", 3, b"", len(body), chunks),
            ("line", 6, b"2\r\nab\r\n0", None, b"0\r\nX: y\r\n\r\n"), ("end", 6, b"0\r\n", None, b"0\r\n\r\n")]:
        write("frame", name, struct.pack(">BHB", flags, len(read), 50) +
              (b"" if length is None else struct.pack(">H", length)) + read + rest)


def additional():
    write("additional", "domain", b'{"identifier":"pvd.example","expires":"2030-05-23T06:00:00+02:00","prefixes":["2001:db8::/32"],'
          b'"dnsZones":["a.example"],"noInternet":true}')
    write("additional", "portal", b'{"captive":true,"user-portal-url":"https://x/","venue-info-url":"http://y/","seconds-remaining":9}')


def shared():
    def message(kind, body):
        return bytes([1, len(body) // 2, kind]) + body + bytes([0])  # take_damage(): none

    link = struct.pack("=BxHiII", 0, 1, 2, 0x10043, 0) + struct.pack("=HHI", 8, 4, 1500) + struct.pack("=HH8s", 12, 3, b"wlan0")
    address = struct.pack("=BBBBI", 2, 24, 0, 0, 2) + struct.pack("=HH4s", 8, 2, bytes([10, 1, 0, 2]))
    begin, end, item = message(7, b""), message(8, b""), bytes([0, 1, 1, 0, 1, 2, 3, 1, 0])
    whole = begin + message(0, link) + message(2, address) + item + end
    write("shared", "whole", whole)
    write("shared", "changes", whole + message(3, address) + item + message(1, link) + whole)


server()
client()
ra()
http()
frame()
additional()
shared()
netlink()
status()
reply()
