# SPDX-License-Identifier: MIT
"""answers.py PORT STATUS: takes every connection and answers its first line with "HTTP/1.1 STATUS" and no body.

With 204 it is a canary, with 302 a captive portal."""
import socketserver
import sys

port, status = int(sys.argv[1]), sys.argv[2]


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.rfile.readline()
            location = "Location: http://portal.example/login\r\n" if status == "302" else ""
            self.wfile.write(f"HTTP/1.1 {status} x\r\n{location}\r\n".encode())
            print(self.client_address, flush=True)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("", port), Handler).serve_forever()
