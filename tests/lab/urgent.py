#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Urgent data, as programs use it. One end sends pieces of a stream with urgent bytes between them, the other says at
which count of the stream it met which.

    urgent.py serve PORT                     for each connection what its first line asks for
    urgent.py KIND HOST PORT PIECES [PAUSE]  one trial; prints what there was, and at the end "ok" or the error's name

KIND: to (the client sends), from (the service does), with -inline (the receiver has SO_OOBINLINE), -poll (waits with
poll instead of select), -signal (waits for SIGURG), -busy (much of it, nobody waits for the other), -small or -child (the
client goes on in a forked child) behind. PAUSE: seconds before each piece.
"""
import array
import errno
import fcntl
import hashlib
import os
import select
import signal
import socket
import sys
import termios
import threading
import time

PATIENCE = 10


def piece(n, how):
    """What comes before the n-th urgent byte; never that byte itself. With "small" less than a segment: Linux gives
    several of them that it sends again at once the same distance to the mark, and the receiver's is wrong then."""
    size = (n * 7919 + 1) % (90000 if "busy" in how else 900 if "small" in how else 3000)
    return hashlib.sha256(b"%d" % n).hexdigest().encode() * (size // 64 + 1)


def urgent(n):
    return b"!#$%&"[n % 5 : n % 5 + 1]


def at_mark(s):
    at = array.array("i", [0])
    fcntl.ioctl(s, 0x8905, at)  # SIOCATMARK
    return at[0] != 0


class Receiver:
    """Reads a stream with its marks."""

    def __init__(self, s, how):
        self.s, self.how = s, how
        self.count, self.hash = 0, hashlib.sha256()
        self.signals = 0
        self.behind = False  # standing at a mark that was met before
        if "inline" in how:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        if "signal" in how:
            signal.signal(signal.SIGURG, self.signalled)
            fcntl.fcntl(s, fcntl.F_SETOWN, os.getpid())

    def signalled(self, *_):
        self.signals += 1

    def wait(self):
        if "poll" in self.how:
            p = select.poll()
            p.register(self.s, select.POLLIN | select.POLLPRI)
            got = dict(p.poll(PATIENCE * 1000)).get(self.s.fileno(), 0)
            r, x = got & (select.POLLIN | select.POLLHUP | select.POLLERR), got & select.POLLPRI
        else:
            r, _, x = select.select([self.s], [], [self.s], PATIENCE)
        if not r and not x:
            raise TimeoutError("nothing comes")
        return r, x

    def take(self, data):
        self.count += len(data)
        self.hash.update(data)

    def until_mark(self):
        """The byte at the next mark, or None at the end."""
        seen, inline = None, "inline" in self.how
        while True:
            if at_mark(self.s) and not self.behind:
                if inline:
                    return self.s.recv(1)
                if seen is not None:
                    self.behind = True
                    return seen
            r, x = self.wait()
            if x and seen is None and not inline:
                try:
                    seen = self.s.recv(1, socket.MSG_OOB)
                except OSError as e:
                    if e.errno not in (errno.EAGAIN, errno.EINVAL):
                        raise
            elif r and (self.behind or not at_mark(self.s)):
                data = self.s.recv(4096)
                self.behind = False
                if not data:
                    return None
                self.take(data)


def send(s, pieces, how, pause):
    busy = "busy" in how
    for n in range(pieces):
        time.sleep(pause)
        data = piece(n, how)
        if n % 2 and not busy:
            s.sendall(data + urgent(n), socket.MSG_OOB)
        else:
            s.sendall(data)
            s.sendall(urgent(n), socket.MSG_OOB)
        if not busy:
            if s.recv(1) != b"k":
                raise ConnectionError("the end instead of an answer")
    s.sendall(piece(pieces, how))
    s.shutdown(socket.SHUT_WR)


def receive(s, pieces, how):
    """What there is not to be is an exception; else a line on each."""
    receiver, lines, n = Receiver(s, how), [], 0
    if "busy" in how:
        s.sendall(b"r")
        return receive_busy(s, pieces, how)
    s.sendall(b"r")  # ready for signals
    while True:
        before = receiver.signals
        mark = receiver.until_mark()
        if mark is None:
            break
        lines.append("%d: %s" % (receiver.count, mark.decode()))
        if "signal" in how and receiver.signals == before:
            raise AssertionError("no SIGURG")
        n += 1
        s.sendall(b"k")
    whole = hashlib.sha256()
    for i in range(pieces + 1):
        whole.update(piece(i, how))
    assert n == pieces and receiver.hash.digest() == whole.digest(), "not what was sent"
    return lines


def receive_busy(s, pieces, how):
    """Marks overtake each other, and who is overtaken stays in the stream, as any TCP has it. What is left out must
    be an urgent byte in its place, and nothing else."""
    sent = b"".join(piece(i, how) + urgent(i) for i in range(pieces)) + piece(pieces, how)
    marks, at = set(), 0
    for i in range(pieces):
        at += len(piece(i, how))
        marks.add(at)
        at += 1
    at, left_out = 0, 0
    while True:
        data = s.recv(65536)
        if not data:
            break
        i = 0
        while i < len(data):
            if sent[at : at + len(data) - i] == data[i:]:
                at += len(data) - i
                break
            # To the first difference, by halves.
            low, high = 0, len(data) - i
            while high - low > 1:
                mid = (low + high) // 2
                if sent[at : at + mid] == data[i : i + mid]:
                    low = mid
                else:
                    high = mid
            at += low
            i += low
            # The mark may be further on, where the bytes are alike.
            assert at in marks, "%d: %r instead of %r" % (at, data[i : i + 8], sent[at : at + 8])
            at += 1
            left_out += 1
    if at in marks:
        at += 1
    assert at == len(sent), "%d of %d" % (at, len(sent))
    return ["whole"]


def serve_one(s):
    try:
        ask = b""
        while not ask.endswith(b"\n"):
            got = s.recv(1)
            if not got:
                return
            ask += got
        kind, pieces, pause = ask.split()
        kind, pieces, pause = kind.decode(), int(pieces), float(pause)
        # SIGURG is for the main thread: only clients wait for it.
        how = kind.replace("-signal", "")
        if kind.startswith("to"):
            lines = receive(s, pieces, how)
            s.sendall(("\n".join(lines) + "\n").encode())
        else:
            s.recv(1)
            send(s, pieces, how, pause)
            while s.recv(4096):
                pass
    except Exception as e:  # the other end is told by what it misses
        print("serve:", repr(e), flush=True)
    finally:
        s.close()


def client(kind, host, port, pieces, pause):
    s = socket.create_connection((host, port))
    s.sendall(b"%s %d %f\n" % (kind.encode(), pieces, pause))
    if "child" in kind and os.fork():
        _, status = os.wait()
        sys.exit(os.waitstatus_to_exitcode(status))
    if kind.startswith("to"):
        s.recv(1)
        send(s, pieces, kind, pause)
        answer = b""
        while True:
            got = s.recv(4096)
            if not got:
                break
            answer += got
        lines = answer.decode().split("\n")[:-1]
        if not lines:
            raise ConnectionError("no answer")
    else:
        lines = receive(s, pieces, kind)
    print("\n".join(lines))
    s.close()


def main():
    if sys.argv[1] == "serve":
        listener = socket.create_server(("", int(sys.argv[2])), reuse_port=False)
        while True:
            s, _ = listener.accept()
            threading.Thread(target=serve_one, args=(s,), daemon=True).start()
    kind, host, port, pieces = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    try:
        client(kind, host, port, pieces, float(sys.argv[5]) if len(sys.argv) > 5 else 0)
    except OSError as e:
        # An ordinary error, as of any connection whose path is lost.
        print(errno.errorcode.get(e.errno, type(e).__name__))
        return 3
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
