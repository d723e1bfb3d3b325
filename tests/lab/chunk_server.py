#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Serves the files of a folder in chunks of random sizes, with a strong ETag: chunk_server.py PORT FOLDER

What is asked for in part it gives in one piece, or in other chunks, or it sends the whole again, as it comes.
"""
import http.server
import os
import random
import re
import socket
import sys


class Chunks(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            with open(os.path.join(sys.argv[2], os.path.basename(self.path)), "rb") as f:
                data, changed = f.read(), os.fstat(f.fileno()).st_mtime_ns
        except OSError:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        tag = '"%x-%x"' % (changed, len(data))
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = 0, len(data) - 1
        whole = self.headers.get("If-Range", tag) != tag
        # Of what is asked for to its end this may be, and the rest is in it.
        whole = whole or ("If-Range" in self.headers and part and not part[2] and random.random() < 0.2)
        if part and not whole:
            first, last = int(part[1]), min(int(part[2] or last), last)
            if first > last:
                self.send_response(416)
                self.send_header("Content-Range", "bytes */%d" % len(data))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, len(data)))
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        sized = part and random.random() < 0.5
        self.send_header(*(("Content-Length", str(last - first + 1)) if sized else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        if self.command != "HEAD":
            self.say(data[first:last + 1], sized)

    do_HEAD = do_GET

    def say(self, data, sized):
        if sized:
            self.wfile.write(data)
            return
        most, at = random.choice([500, 5000, 50000, 500000]), 0
        while at < len(data):
            # Not more of them than a processor can make.
            size = min(random.randrange(1, most), len(data) - at) if at % 100000 < 5000 else 40000
            piece = data[at:at + size]
            self.wfile.write(b"%x%s\r\n%s\r\n" % (len(piece), random.choice([b"", b"", b";a=b"]), piece))
            at += size
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128
    daemon_threads = True


Server(("::", int(sys.argv[1])), Chunks).serve_forever()
