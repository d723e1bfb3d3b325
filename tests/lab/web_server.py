#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A web server whose answers take their time, so that a path can be lost at any point of them: web_server.py PORT

It counts what it was asked: GET /asked/METHOD/PATH says how often.
"""
import collections
import hashlib
import http.server
import socket
import sys
import threading
import time

LATE_S = 1.5
BODY = bytes(range(256)) * 40
asked = collections.Counter()
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def count(self):
        with lock:
            asked[self.command + self.path] += 1

    def say(self, body, *fields, status=200):
        self.send_response(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/asked/"):
            self.say(b"%d" % asked[self.path[7:]])
            return
        self.count()
        name = self.path.split("?")[0].strip("/")
        getattr(self, "get_" + name.replace("-", "_"))()

    do_HEAD = do_GET

    def get_late(self):
        time.sleep(LATE_S)
        self.say(b"late " + self.path.encode())

    def get_prompt(self):
        self.say(b"prompt")

    def get_half_a_head(self):
        head = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: %d\r\n\r\n" % len(BODY)
        self.wfile.write(head[:25])
        time.sleep(LATE_S)
        self.wfile.write(head[25:] + BODY)

    def get_other_head(self):
        head = b"HTTP/1.1 200 OK\r\nX-One: %d\r\nContent-Length: 5\r\n\r\n" % time.time_ns()
        self.wfile.write(head[:40])
        time.sleep(LATE_S)
        self.wfile.write(head[40:] + b"right")

    def chunks(self, data, size, took=0.0):
        for i in range(0, len(data), size):
            piece = data[i:i + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(took * size / len(data))
        self.wfile.write(b"0\r\n\r\n")

    def say_chunks(self, *fields):
        self.send_response(200)
        for name, value in fields + (("Transfer-Encoding", "chunked"),):
            self.send_header(name, value)
        self.end_headers()
        self.chunks(BODY, 256, 2 * LATE_S)

    def get_chunks(self, again=False, tag='"chunks"'):
        part = self.headers["Range"]
        if not part:
            self.say_chunks(("ETag", tag))
            return
        first = int(part[6:-1])
        self.send_response(206)
        self.send_header("ETag", tag)
        self.send_header("Content-Range", "bytes %d-%d/%d" % (first, len(BODY) - 1, len(BODY)))
        if not again:
            self.send_header("Content-Length", str(len(BODY) - first))
            self.end_headers()
            self.wfile.write(BODY[first:])
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunks(BODY[first:], 77)

    def get_chunks_again(self):
        self.get_chunks(again=True)

    def get_chunks_whole(self):
        self.say_chunks(("ETag", '"chunks"'))

    def get_chunks_closed(self):
        self.close_connection = True
        if self.headers["Range"]:
            self.get_chunks()
        else:
            self.say_chunks(("ETag", '"chunks"'), ("Connection", "close"))

    def get_chunks_untold(self):
        self.say_chunks()

    def get_ends(self):
        """Without a length: the end of the connection is that of the body."""
        self.close_connection = True
        part = self.headers["Range"]
        if not part:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nETag: \"ends\"\r\nConnection: close\r\n\r\n" + BODY[:5000])
            time.sleep(LATE_S)
            self.wfile.write(BODY[5000:])
            return
        first = int(part[6:-1])
        self.wfile.write(b"HTTP/1.1 206 Part\r\nETag: \"ends\"\r\nConnection: close\r\n"
                         b"Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"
                         % (first, len(BODY) - 1, len(BODY), len(BODY) - first) + BODY[first:])

    def do_POST(self):
        if self.path == "/unread":
            time.sleep(4 * LATE_S)
        want = int(self.headers["Content-Length"])
        # A request is one when all of it is there.
        if len(self.rfile.read(want)) == want:
            self.count()
        time.sleep(LATE_S)
        self.say(b"posted")

    def do_PUT(self):
        self.count()
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.say(hashlib.sha256(data).hexdigest().encode())

    def handle_expect_100(self):
        time.sleep(LATE_S)
        return super().handle_expect_100()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128


if __name__ == "__main__":
    Server(("::", int(sys.argv[1])), Handler).serve_forever()
