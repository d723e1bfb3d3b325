# SPDX-License-Identifier: MIT
"""answers.py PORT STATUS: takes every connection and answers its first line with "HTTP/1.1 STATUS" and no body.

With 204 it is a canary, with 302 a captive portal. Other portals answer the first bytes, whatever these are: login (200 and a
page), tls (an alert of TLS's), noise, hold (with nothing, ever), reset."""
import os
import socket
import socketserver
import struct
import sys
import time

port, status = int(sys.argv[1]), sys.argv[2]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        if not status.isdigit():
            return self.other()
        try:
            self.rfile.readline()
            location = "Location: http://portal.example/login\r\n" if status == "302" else ""
            self.wfile.write(f"HTTP/1.1 {status} x\r\n{location}\r\n".encode())
            print(self.client_address, flush=True)
        except OSError:
            pass


    def other(self):
        try:
            self.request.recv(1000)
            if status == "hold":
                time.sleep(3600)
            elif status == "reset":
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                page = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n<p>Login</p>"
                self.request.sendall({"login": page, "tls": b"\x15\x03\x03\0\2\2\x50", "noise": os.urandom(5000)}[status])
                self.request.recv(1000)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("", port), Handler).serve_forever()
