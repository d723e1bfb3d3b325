#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An HTTP server that answers the first request for a path well, and lies when it is asked for the rest.

liar.py PORT MEGABYTES [SEED]   serves /NAME for each name in LIES; /body is what is right, /names the names and whether
the download has to end well ("same"), has to fail ("error") or may do either. /random0 and so on lie by chance; where
the name begins with "c." the first answer comes in chunks. Of the first answer it sends a part and then nothing more, so
that it is under way when its path is lost.
"""
import random
import socket
import sys
import threading

SIZE = int(float(sys.argv[2]) * 1000000)
BODY = random.Random(1).randbytes(SIZE)
OTHER = random.Random(2).randbytes(SIZE)
TAG = b'ETag: "right"\r\n'


def head(status, *fields):
    return b"HTTP/1.1 %s\r\n" % status + b"".join(fields) + b"\r\n"


def length(n):
    return b"Content-Length: %d\r\n" % n


def part(first, last, total):
    return b"Content-Range: bytes %d-%d/%s\r\n" % (first, last, total if isinstance(total, bytes) else b"%d" % total)


def rest(first, *more, body=BODY, status=b"206 Partial Content", tag=TAG, shown=None, total=SIZE, size=None):
    shown = first if shown is None else shown
    last = (total if isinstance(total, int) else SIZE) - 1
    return (head(status, length(SIZE - first if size is None else size), tag, part(shown, last, total), *more)
            + body[first:])


def chunks(data):
    out = b""
    for i in range(0, len(data), 50000):
        piece = data[i:i + 50000]
        out += b"%x\r\n%s\r\n" % (len(piece), piece)
    return out + b"0\r\n\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"


def rest_in_chunks(first, data=None, end=b"0\r\n\r\n", tag=TAG, coding=CHUNKED):
    data = chunks(BODY[first:])[:-5] if data is None else data
    return head(b"206 Partial Content", tag, part(first, SIZE - 1, SIZE), coding) + data + end


def whole(tag=TAG, body=BODY, fields=()):
    return head(b"200 OK", length(len(body)), tag, *fields) + body


# What is answered to who asks for what begins with byte n, and whether that may do.
LIES = {
    "honest": (lambda n: rest(n), "same"),
    "hints": (lambda n: head(b"103 Early Hints", b"Link: x\r\n") + rest(n), "same"),
    "whole": (lambda n: whole(), "same"),
    "whole-changed": (lambda n: whole(b'ETag: "new"\r\n', OTHER), "error"),
    "whole-untold": (lambda n: whole(b"", OTHER), "error"),
    "whole-same-tag": (lambda n: whole(TAG, OTHER), "error"),
    "whole-longer": (lambda n: whole(TAG, BODY + b"more"), "error"),
    "whole-chunked": (lambda n: head(b"200 OK", TAG, CHUNKED) + chunks(BODY), "same"),
    "whole-chunked-changed": (lambda n: head(b"200 OK", b'ETag: "new"\r\n', CHUNKED) + chunks(OTHER), "error"),
    "whole-chunked-same-tag": (lambda n: head(b"200 OK", TAG, CHUNKED) + chunks(OTHER), "error"),
    "whole-chunked-closed": (lambda n: head(b"200 OK", TAG, CHUNKED) + chunks(BODY)[:-1000], "error"),
    "chunked": (lambda n: rest_in_chunks(n), "same"),
    "chunked-small": (lambda n: rest_in_chunks(n, b"".join(b"%x;a=\"b\"\r\n%s\r\n" % (7, BODY[i:i + 7])
                                                           for i in range(n, n + 7 * ((SIZE - n) // 7), 7))
                                               + chunks(BODY[n + 7 * ((SIZE - n) // 7):])[:-5]), "same"),
    "chunked-trailer": (lambda n: rest_in_chunks(n, end=b"0\r\nX: y\r\n\r\n"), "same"),
    "chunked-changed": (lambda n: rest_in_chunks(n, chunks(OTHER[n:])[:-5], tag=b'ETag: "new"\r\n'), "error"),
    "chunked-same-tag": (lambda n: rest_in_chunks(n, chunks(OTHER[n:])[:-5]), "error"),
    "chunked-coded": (lambda n: rest_in_chunks(n, coding=b"Transfer-Encoding: gzip, chunked\r\n"), "error"),
    "chunked-twice": (lambda n: rest_in_chunks(n, coding=CHUNKED + CHUNKED), "error"),
    "chunked-and-sized": (lambda n: rest_in_chunks(n, coding=CHUNKED + length(SIZE - n)), "error"),
    "chunked-less": (lambda n: rest_in_chunks(n, chunks(BODY[n:-1])[:-5]), "error"),
    "chunked-more": (lambda n: rest_in_chunks(n, chunks(BODY[n:] + b"more")[:-5]), "error"),
    "chunked-closed": (lambda n: rest_in_chunks(n)[:-3000], "error"),
    "chunked-no-end": (lambda n: rest_in_chunks(n, end=b""), "either"),
    "chunked-bad-size": (lambda n: rest_in_chunks(n, b"1000\r\n" + BODY[n:n + 0x1000] + b"\r\nzz\r\n" + BODY[n + 0x1000:]), "error"),
    "chunked-short-size": (lambda n: rest_in_chunks(n, b"1000\r\n" + BODY[n:]), "error"),
    "chunked-huge-size": (lambda n: rest_in_chunks(n, b"fffffffffffffff0\r\n" + BODY[n:]), "error"),
    "chunked-bare": (lambda n: rest_in_chunks(n, BODY[n:]), "error"),
    "changed": (lambda n: rest(n, body=OTHER, tag=b'ETag: "new"\r\n'), "error"),
    "same-tag": (lambda n: rest(n, body=OTHER), "error"),
    "weak": (lambda n: rest(n, tag=b'ETag: W/"right"\r\n'), "error"),
    "no-tag": (lambda n: rest(n, tag=b""), "error"),
    "two-tags": (lambda n: rest(n, TAG), "error"),
    "folded-tag": (lambda n: rest(n, tag=b'ETag: "right"\r\n ,\r\n'), "error"),
    "from-zero": (lambda n: rest(0), "error"),
    "from-zero-untold": (lambda n: rest(0, shown=n), "error"),
    "one-less": (lambda n: rest(n - 1), "error"),
    "one-less-untold": (lambda n: rest(n - 1, shown=n, size=SIZE - n), "error"),
    "one-more-untold": (lambda n: rest(n + 1, shown=n, size=SIZE - n), "error"),
    "no-part": (lambda n: head(b"206 Partial Content", length(SIZE - n), TAG) + BODY[n:], "error"),
    "two-parts": (lambda n: rest(n, part(n, SIZE - 1, SIZE)), "error"),
    "unknown-total": (lambda n: rest(n, total=b"*"), "error"),
    "other-total": (lambda n: rest(n, total=SIZE + 1), "error"),
    "shorter": (lambda n: head(b"206 Partial Content", length(10), TAG, part(n, n + 9, SIZE)) + BODY[n:n + 10], "error"),
    "wrong-length": (lambda n: rest(n, size=SIZE - n - 1), "error"),
    "no-length": (lambda n: head(b"206 Partial Content", TAG, part(n, SIZE - 1, SIZE)) + BODY[n:], "error"),
    "two-lengths": (lambda n: rest(n, length(5)), "error"),
    "gzip": (lambda n: rest(n, b"Content-Encoding: gzip\r\n"), "error"),
    "multipart": (lambda n: head(b"206 Partial Content", length(SIZE - n), TAG,
                                 b"Content-Type: multipart/byteranges; boundary=x\r\n") + BODY[n:], "error"),
    "not-satisfiable": (lambda n: head(b"416 No", length(0), TAG, b"Content-Range: bytes */%d\r\n" % SIZE), "error"),
    "not-modified": (lambda n: head(b"304 Not Modified", TAG), "error"),
    "elsewhere": (lambda n: head(b"302 Found", length(5), TAG, b"Location: /honest\r\n") + b"there", "error"),
    "who": (lambda n: head(b"401 Who", length(3), TAG) + b"you", "error"),
    "broken": (lambda n: head(b"500 Broken", length(3), TAG) + b"me!", "error"),
    "switching": (lambda n: head(b"101 Switching", b"Upgrade: x\r\n", b"Connection: Upgrade\r\n"), "error"),
    "nothing": (lambda n: b"", "error"),
    "half-a-head": (lambda n: rest(n)[:60], "error"),
    "another-protocol": (lambda n: b"SSH-2.0-liar\r\n" + BODY[n:], "error"),
    "endless-head": (lambda n: b"HTTP/1.1 206 Partial Content\r\n" + b"X: y\r\n" * 10000, "error"),
    "ends-early": (lambda n: rest(n)[:2000], "error"),
    # Of these the first answer says already that they cannot be gone on with.
    "first-weak": (lambda n: rest(n), "error"),
    "first-untold": (lambda n: rest(n), "error"),
    "first-chunked-trailer": (lambda n: rest(n), "error"),
    "first-just-now": (lambda n: rest(n), "error"),
}


def by_chance(n, r, sized=True):
    """What is right, with some of it changed; most of it by lines of the head."""
    lines = [b"HTTP/1.1 206 Partial Content", b"Content-Length: %d" % (SIZE - n), b'ETag: "right"',
             b"Content-Range: bytes %d-%d/%d" % (n, SIZE - 1, SIZE), b"Server: liar", b"Accept-Ranges: bytes"]
    body = BODY[n:]
    for _ in range(r.choice([0, 1, 1, 2, 3])):
        what, i = r.randrange(11), r.randrange(1, len(lines))
        digits = [k for k, c in enumerate(lines[i]) if c in b"0123456789"]
        if what == 0:
            lines.append(lines[i])
        elif what == 1 and len(lines) > 2:
            lines.pop(i)
        elif what == 2 and digits:
            k = r.choice(digits)
            lines[i] = lines[i][:k] + b"%d" % r.randrange(10) + lines[i][k + 1:]
        elif what == 3:
            lines[i] = lines[i].swapcase()
        elif what == 4:
            k = r.randrange(len(lines[i]))
            lines[i] = lines[i][:k] + b"\r\n " + lines[i][k:]
        elif what == 5:
            lines[i] = lines[i].replace(b'"right"', r.choice([b'W/"right"', b'"other"', b"right", b'"right']))
        elif what == 6:
            # Whether the whole is as long as it was, is known only of what said its length.
            lines[0] = r.choice([b"HTTP/1.1 200 OK" if sized else b"HTTP/1.1 204 No", b"HTTP/1.0 206 Part", b"HTTP/1.1 203 x", b"HTTP/2 206", b"HTTP/1.1"])
        elif what == 7:
            lines.append(r.choice([b"Content-Encoding: br", b"Transfer-Encoding: chunked", b"Connection: close",
                                   b"Transfer-Encoding: x", b"Content-Type: multipart/byteranges", b"\0", b": x"]))
        elif what == 8:
            body = OTHER[n:] if r.random() < 0.5 else BODY
        elif what == 9:
            body = BODY[max(0, n + r.choice([-2, -1, 1, 2, 1000])):]
        elif what == 10:
            r.shuffle(lines)
    if b"Content-Length: %d" % (SIZE - n) in lines and r.random() < 0.3:
        lines.remove(b"Content-Length: %d" % (SIZE - n))
        lines.append(b"Transfer-Encoding: chunked")
        body = chunks(body)
        for _ in range(r.choice([0, 1, 1, 2])):
            i = r.choice([0, 1, 2, 3, 4, 50000, 50007, 50008, 50009, 50010, 50011, len(body) - 5, len(body) - 6])
            body = body[:i] + r.choice([b"", b"0", b"1", b"\r", b"\n", b"ff", b";", b" "]) + body[i + r.randrange(3):]
    out = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return out[:r.randrange(len(out))] if r.random() < 0.2 else out


CHANCE = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 3)
for k in range(40):
    LIES["random%d" % k] = (lambda n, seed=CHANCE.random(): by_chance(n, random.Random(seed)), "either")
for k, (answer, may) in list(LIES.items()):
    # Of an answer in chunks nobody has said how long it is.
    if not k.startswith(("first", "random", "whole-longer")):
        LIES["c." + k] = (answer, may)
for k in range(30):
    LIES["c.random%d" % k] = (lambda n, seed=CHANCE.random(): by_chance(n, random.Random(seed), False), "either")


def first_answer(name):
    if name == "first-weak":
        return whole(b'ETag: W/"right"\r\n')
    if name == "first-untold":
        return whole(b"")
    if name == "first-just-now":
        return whole(b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n")
    if name == "first-chunked-trailer":
        return head(b"200 OK", TAG, CHUNKED, b"Trailer: X-Sum\r\n") + chunks(BODY)
    if name.startswith("c."):
        return head(b"200 OK", TAG, CHUNKED) + chunks(BODY)
    return whole()


def request(c):
    data = b""
    while b"\r\n\r\n" not in data:
        more = c.recv(65536)
        if not more:
            return None, None
        data += more
    lines = data.split(b"\r\n")
    first = [int(line[13:].split(b"-")[0]) for line in lines if line.lower().startswith(b"range: bytes=")]
    return lines[0].split()[1].decode().strip("/"), first[0] if first else None


def serve(c):
    try:
        name, first = request(c)
        if name == "names":
            c.sendall(whole(b"", "".join("%s %s\n" % (k, v[1]) for k, v in LIES.items()).encode()))
        elif name == "body":
            c.sendall(whole())
        elif name in LIES and first is None:
            answer = first_answer(name)
            c.sendall(answer[:SIZE // 2])
            c.recv(1)
        elif name in LIES:
            c.sendall(LIES[name][0](first))
        c.shutdown(socket.SHUT_WR)
        c.recv(65536)
    except OSError:
        pass
    finally:
        c.close()


def main():
    listener = socket.create_server(("", int(sys.argv[1])), backlog=200)
    while True:
        c, _ = listener.accept()
        threading.Thread(target=serve, args=(c,), daemon=True).start()


main()
