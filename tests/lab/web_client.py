#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTP exchanges that are all under way when the path is lost: web_client.py HOST PORT FOLDER

When each is where it is to be it makes FOLDER/ready, and waits for FOLDER/gone. Exit status 0: what could be saved was,
and what could not got an ordinary error.
"""
import hashlib
import http.client
import io
import os
import select
import socket
import subprocess
import sys
import threading
import time
import traceback

from web_server import BODY

HOST, PORT, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
failed = []
ready = []
gone = threading.Event()


def connect():
    s = socket.create_connection((HOST, PORT))
    s.settimeout(30)
    return s


def ask(s, method, path, *fields, body=b""):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: x", *fields, "", ""]
    s.sendall("\r\n".join(lines).encode() + body)


def answer(s, method="GET"):
    r = http.client.HTTPResponse(s, method=method)
    r.begin()
    return r.read()


def some(s, least):
    """So many bytes as they come."""
    got = b""
    while len(got) < least:
        more = s.recv(least - len(got))
        if not more:
            raise AssertionError("a false end after %d" % len(got))
        got += more
    return got


def under_way():
    ready.append(1)
    gone.wait()


def must(is_so, what):
    if not is_so:
        raise AssertionError(what)


def must_be_reset(s):
    begun = time.monotonic()
    try:
        while s.recv(4096):
            pass
        raise AssertionError("a false end")
    except ConnectionResetError:
        pass
    took = time.monotonic() - begun
    must(took < 20, "the error came after %.1f s" % took)


def idle():
    c = http.client.HTTPConnection(HOST, PORT, timeout=30)
    c.request("GET", "/prompt")
    must(c.getresponse().read() == b"prompt", "first answer")
    before = c.sock.getsockname(), c.sock.getpeername(), c.sock.fileno()
    under_way()
    c.request("GET", "/prompt")
    must(c.getresponse().read() == b"prompt", "second answer")
    must((c.sock.getsockname(), c.sock.getpeername(), c.sock.fileno()) == before, "the same connection")


def late():
    s = connect()
    ask(s, "GET", "/late?get")
    under_way()
    must(answer(s) == b"late /late?get", "answer")


def late_head():
    s = connect()
    ask(s, "HEAD", "/late?head")
    under_way()
    must(answer(s, "HEAD") == b"", "no body")
    ask(s, "GET", "/prompt")
    must(answer(s) == b"prompt", "the next answer")


def one_behind_the_other():
    s = connect()
    for i in range(5):
        ask(s, "GET", "/late?%d" % i)
    ask(s, "HEAD", "/prompt")
    ask(s, "GET", "/prompt")
    under_way()
    got = b""
    while b"prompt" not in got:
        got += s.recv(4096)
    places = [got.index(b"late /late?%d" % i) for i in range(5)]
    must(places == sorted(places), "order")
    must(got.count(b"HTTP/1.1 200 OK") == 7, "number of answers")


def half_a_head():
    s = connect()
    ask(s, "GET", "/half-a-head")
    got = some(s, 25)
    under_way()
    while b"\r\n\r\n" not in got:
        got += some(s, 1)
    must(got.startswith(b"HTTP/1.1 200 OK\r\nX-One: 1\r\n"), "head")
    must(some(s, len(BODY)) == BODY, "body")


def other_head():
    s = connect()
    ask(s, "GET", "/other-head")
    some(s, 40)
    under_way()
    must_be_reset(s)


class Read:
    """What was read already, as if it were a socket."""
    def __init__(self, data):
        self.data = data

    def makefile(self, *_):
        return io.BytesIO(self.data)


def chunked(path, cut):
    s = connect()
    ask(s, "GET", path)
    got = some(s, cut)
    under_way()
    while not got.endswith(b"\r\n0\r\n\r\n"):
        # Small pieces: between chunks and within their sizes, too.
        more = s.recv(1 + len(got) % 300)
        must(more, "a false end after %d" % len(got))
        got += more
    must(answer(Read(got)) == BODY, "body")
    return s


def chunks():
    s = chunked("/chunks", 400)
    ask(s, "GET", "/prompt")
    must(answer(s) == b"prompt", "the next answer")
    ask(s, "POST", "/once", "Content-Length: 4", body=b"once")
    must(answer(s) == b"posted", "the answer after that")
    ask(s, "GET", "/asked/POST/once")
    must(answer(s) == b"1", "posted once")


def chunks_again():
    s = chunked("/chunks-again", 1500)
    # What is asked first after that is not made twice, and has not been made.
    ask(s, "POST", "/first", "Content-Length: 400000", body=bytes(400000))
    must(answer(s) == b"posted", "answer")
    ask(s, "GET", "/asked/POST/first")
    must(answer(s) == b"1", "posted once")


def chunks_whole():
    s = chunked("/chunks-whole", 2000)
    must(s.getpeername()[:2] == (HOST, PORT), "peer")
    s.settimeout(0.3)
    try:
        must(s.recv(1), "an end")
        raise AssertionError("more")
    except TimeoutError:
        pass
    s.settimeout(30)
    ask(s, "HEAD", "/prompt")
    ask(s, "GET", "/prompt")
    must(answer(s, "HEAD") == b"", "no body")


def chunks_closed():
    s = chunked("/chunks-closed", 1000)
    must(s.recv(1) == b"", "the end of the connection")


def chunks_and_more():
    s = connect()
    ask(s, "GET", "/chunks")
    ask(s, "GET", "/late?behind")
    got = some(s, 700)
    under_way()
    while b"late /late?behind" not in got:
        got += some(s, 1)
    first, _, rest = got.partition(b"\r\n0\r\n\r\n")
    must(answer(Read(first + b"\r\n0\r\n\r\n")) == BODY, "body")
    must(answer(Read(rest)) == b"late /late?behind", "the answer behind")


def chunks_rested():
    s = chunked("/chunks", 300)
    before = s.getsockname(), s.getpeername(), s.fileno()
    # It has a connection of its own again, whoever has the descriptor, too, by then.
    time.sleep(2)
    ask(s, "POST", "/rested", "Content-Length: 4", body=b"once")
    must(answer(s) == b"posted", "answer")
    must((s.getsockname(), s.getpeername(), s.fileno()) == before, "the same connection")
    ask(s, "GET", "/asked/POST/rested")
    must(answer(s) == b"1", "posted once")


def chunks_watched():
    """Told of edges alone, and never blocked."""
    s = connect()
    ask(s, "GET", "/chunks-again")
    got = some(s, 600)
    s.setblocking(False)
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET)
    under_way()

    def hear(got, end):
        while not got.endswith(end):
            events = e.poll(30)
            must(events and not events[0][1] & (select.EPOLLRDHUP | select.EPOLLERR), events)
            try:
                while more := s.recv(313):
                    got += more
                raise AssertionError("a false end")
            except BlockingIOError:
                pass
        return got

    must(answer(Read(hear(got, b"\r\n0\r\n\r\n"))) == BODY, "body")
    ask(s, "GET", "/prompt")
    must(answer(Read(hear(b"", b"prompt"))) == b"prompt", "the next answer")


def chunks_half_closed():
    s = connect()
    ask(s, "GET", "/chunks-whole")
    got = some(s, 500)
    s.shutdown(socket.SHUT_WR)
    under_way()
    while more := s.recv(1000):
        got += more
    must(answer(Read(got)) == BODY, "body")


def chunks_untold():
    s = connect()
    ask(s, "GET", "/chunks-untold")
    some(s, 400)
    under_way()
    must_be_reset(s)


def ends():
    s = connect()
    ask(s, "GET", "/ends")
    got = b""
    while len(got) < 4000:
        got += some(s, 100)
    under_way()
    while more := s.recv(4096):
        got += more
    must(got.partition(b"\r\n\r\n")[2] == BODY, "body")


def post():
    s = connect()
    ask(s, "POST", "/post", "Content-Length: 4", body=b"once")
    under_way()
    must_be_reset(s)
    s = connect()
    ask(s, "GET", "/asked/POST/post")
    must(answer(s) == b"1", "posted once")


def post_blocked():
    s = connect()
    ask(s, "POST", "/unread", "Content-Length: 100000000")
    begun = []

    def write():
        try:
            while True:
                s.sendall(bytes(1000000))
        except (ConnectionResetError, BrokenPipeError):
            begun.append(time.monotonic())

    t = threading.Thread(target=write, daemon=True)
    t.start()
    time.sleep(1)
    under_way()
    lost = time.monotonic()
    t.join(20)
    must(begun and begun[0] > lost, "an error for who is blocked")


def post_after():
    s = connect()
    ask(s, "GET", "/prompt")
    must(answer(s) == b"prompt", "first answer")
    under_way()
    time.sleep(1)  # what is written before the path's loss is known is not written twice
    ask(s, "POST", "/after", "Content-Length: 4", body=b"once")
    must(answer(s) == b"posted", "answer")
    ask(s, "GET", "/asked/POST/after")
    must(answer(s) == b"1", "posted once")


def put():
    data = os.urandom(300000)
    s = connect()
    ask(s, "PUT", "/put", "Content-Length: 300000", body=data[:100000])
    under_way()
    s.sendall(data[100000:])
    must(answer(s) == hashlib.sha256(data).hexdigest().encode(), "sum")


def expect():
    s = connect()
    ask(s, "POST", "/expect", "Content-Length: 4", "Expect: 100-continue")
    under_way()
    got = some(s, 25)
    must(got == b"HTTP/1.1 100 Continue\r\n\r\n", got)
    s.sendall(b"once")
    must(answer(s) == b"posted", "answer")
    s = connect()
    ask(s, "GET", "/asked/POST/expect")
    must(answer(s) == b"1", "posted once")


def half_a_request():
    s = connect()
    s.sendall(b"GET /prom")
    under_way()
    s.sendall(b"pt HTTP/1.1\r\nHost: x\r\n\r\n")
    must(answer(s) == b"prompt", "answer")


ALL = [idle, late, late_head, one_behind_the_other, half_a_head, other_head, chunks, chunks_again, chunks_whole,
       chunks_closed, chunks_and_more, chunks_rested, chunks_watched, chunks_half_closed, chunks_untold, ends, post, post_blocked, post_after,
       put, expect, half_a_request]


def run(case):
    try:
        case()
    except BaseException:
        failed.append(case.__name__)
        print(case.__name__, traceback.format_exc(), flush=True)
        ready.append(1)


threads = [threading.Thread(target=run, args=(case,), daemon=True) for case in ALL]
for t in threads:
    t.start()
while len(ready) < len(ALL):
    time.sleep(0.01)
time.sleep(0.3)
# They are all forked, and the child has none of them when it runs another program.
child = subprocess.Popen(["sleep", "30"], close_fds=True, preexec_fn=lambda: None)
open(os.path.join(FOLDER, "ready"), "w").close()
while not os.path.exists(os.path.join(FOLDER, "gone")):
    time.sleep(0.01)
gone.set()
for t in threads:
    t.join(60)
child.kill()
print(len(ALL) - len(failed), "of", len(ALL))
os._exit(bool(failed) or any(t.is_alive() for t in threads))
