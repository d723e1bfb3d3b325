# SPDX-License-Identifier: MIT
"""tls_server.py PORT DIRECTORY CERTIFICATE KEY: files over HTTPS, each connection in a thread of its own."""
import functools
import http.server
import ssl
import sys

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3], sys.argv[4])
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[2])
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), handler)
# The handshake is the thread's, too.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
