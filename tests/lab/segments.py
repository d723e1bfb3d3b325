#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a capture of made-up connections to a relay, for the dissector's test: segments.py FILE

Messages are cut into segments wherever it is least convenient; what is sealed is filler.
"""
import struct
import sys

NO_END = 0xFFFFFFFFFFFFFFFF


def message(kind, body, version=1):
    return struct.pack(">BBH", kind, version, len(body)) + body


def record(frame_length):
    return struct.pack(">H", frame_length + 16) + b"\x17" * (frame_length + 16)


class Capture:
    def __init__(self, f):
        self.f = f
        self.time = 0
        self.port = 40000
        f.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))

    def packet(self, up, flags, data=b""):
        ends = [(self.port, b"\x0a\x01\x00\x02"), (7343, b"\x0a\x09\x00\x02")]
        a, b = ends if up else reversed(ends)
        tcp = struct.pack(">HHIIBBHHH", a[0], b[0], self.seq[up], self.seq[not up] * (flags != 2), 0x50, flags, 65535, 0, 0) + data
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0) + a[1] + b[1] + tcp
        self.time += 1
        self.f.write(struct.pack("=IIII", self.time, 0, len(ip), len(ip)) + ip)
        self.seq[up] += len(data) + (flags & 2) // 2

    def connect(self):
        self.port += 1
        self.seq = {True: 1000, False: 5000}
        for up, flags in ((True, 2), (False, 18), (True, 16)):
            self.packet(up, flags)

    def send(self, up, data, *cuts):
        """One segment for each piece of `data`, cut at these places."""
        for begin, end in zip((0,) + cuts, cuts + (len(data),)):
            self.packet(up, 24, data[begin:end])


with open(sys.argv[1], "wb") as out:
    c = Capture(out)
    # Control: a WELCOME with a payload, records cut within their lengths and several in one segment.
    c.connect()
    c.send(True, message(1, bytes(32)), 1, 3, 20)
    c.send(False, message(0x81, bytes(80) + b"\x05" * 300) + record(26), 2, 50, 390)
    c.send(True, record(9) + record(26) + record(1) + record(17), 1, 30)
    c.send(False, record(50) + record(26)[:1])
    c.send(False, record(26)[1:])
    # Data: a request of another length than today's, the stream in the segment of the answer. What it carries looks like
    # messages.
    c.connect()
    c.send(True, message(3, bytes(16) + struct.pack(">Q", 7) + b"\x05" * 90), 5)
    c.send(False, message(0x83, struct.pack(">Q", 7) + b"\x05" * 44) + message(0x81, bytes(96)), 60, 70)
    c.send(True, message(1, bytes(32)), 7)
    # Resumed; COMMIT in one segment with the end of RESUME, and with the stream.
    c.connect()
    resume = message(4, bytes(16) + struct.pack(">IQQB", 3, 4000, NO_END, 2) + bytes(16))
    commit = message(5, struct.pack(">IQQ", 3, 4096, 1500) + bytes(16))
    resumed = message(0x84, struct.pack(">I", 3) + bytes(16) + struct.pack(">QQB", 1000, 9000, 1) + bytes(16))
    c.send(True, resume[:50])
    c.send(True, resume[50:] + commit[:10])
    c.send(False, resumed + message(0xFF, b"\x01"), 30, 60)
    c.send(True, commit[10:] + message(5, bytes(36)))
    # Refused, one of them for a reason of later times.
    for why in (1, 2, 3, 4, 5, 6, 7, 99):
        c.connect()
        c.send(True, resume)
        c.send(False, message(0xFF, bytes([why])), 4)
    # Wrong: another version, another length, no type of ours, a COMMIT first, a record of no length.
    for wrong in (message(1, bytes(32), 2), message(2, bytes(35)), b"GET / HTTP/1.1\r\n", commit):
        c.connect()
        c.send(True, wrong)
    c.connect()
    c.send(True, message(1, bytes(32)))
    c.send(True, b"\x00\x05hello")
