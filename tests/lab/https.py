# SPDX-License-Identifier: MIT
"""HTTPS for the lab: https.py ADDRESS FOLDER, at port 443. For each NAME of which there is FOLDER/NAME.pem (key and
certificate) it answers every request with FOLDER/NAME.answer: status and header lines, an empty line, the body. What was asked
is printed: client, name, path, Accept."""
import http.server
import os
import socket
import ssl
import sys

folder = sys.argv[2]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.headers["Host"]
        print(self.client_address[0], name, self.path, self.headers["Accept"], flush=True)
        with open(os.path.join(folder, name + ".answer"), encoding="ascii") as f:
            head, _, body = f.read().partition("\n\n")
        lines = head.split("\n") + ["Content-Length: %d" % len(body), "Connection: close", "", body]
        self.wfile.write(("HTTP/1.1 " + "\r\n".join(lines)).encode())

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET

    # Within the thread: one client that does not speak must not keep others waiting.
    def finish_request(self, request, client_address):
        try:
            super().finish_request(context.wrap_socket(request, server_side=True), client_address)
        except OSError as e:
            print(client_address[0], "no TLS:", e, flush=True)


def choose(sock, name, _):
    pem = os.path.join(folder, "%s.pem" % name)
    if name and "/" not in name and os.path.exists(pem):
        of = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        of.load_cert_chain(pem)
        sock.context = of


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(folder, "default.pem"))
context.sni_callback = choose
Server((sys.argv[1], 443), Handler).serve_forever()
