# SPDX-License-Identifier: MIT
# Records over TCP, of which none may be torn.
#
#   records.py send HOST PORT FRAME COUNT [MS]   numbered ones, each written in two halves, MS apart from the next
#   records.py serve PORT FRAME                  says what comes, record by record, from all connections: each one's
#                                                first word
#   records.py syslog PORT FRAME                 the same, of log messages: the last one
#
# FRAME is pickle (four bytes, as graphite has it), mqtt (a type and a varint), counted (syslog's decimal count) or line.
import socket, struct, sys, threading, time


def frame(kind, text):
    body = text.encode()
    if kind == "line":
        return body + b"\n"
    if kind == "pickle":
        return struct.pack("!I", len(body)) + body
    if kind == "counted":
        return b"%d " % len(body) + body
    n, size = len(body), b""
    while True:
        size += bytes([n & 127 | (128 if n > 127 else 0)])
        n >>= 7
        if not n:
            return b"\x30" + size + body


def exactly(f, n):
    data = f.read(n)
    if len(data) < n:
        raise EOFError
    return data


def record(kind, f):
    if kind == "line":
        data = f.readline()
        if not data.endswith(b"\n"):
            raise EOFError
        return data[:-1]
    if kind == "pickle":
        return exactly(f, struct.unpack("!I", exactly(f, 4))[0])
    if kind == "counted":
        digits = b""
        while not digits.endswith(b" "):
            digits += exactly(f, 1)
        return exactly(f, int(digits))
    if exactly(f, 1) != b"\x30":
        print("TORN", flush=True)
        raise EOFError
    n = shift = 0
    while True:
        b = exactly(f, 1)[0]
        n |= (b & 127) << shift
        shift += 7
        if b < 128:
            return exactly(f, n)


def hear(connection, kind):
    f = connection.makefile("rb")
    try:
        while True:
            words = record(kind, f).decode().split()
            print(words[-1 if sys.argv[1] == "syslog" else 0], flush=True)
    except (EOFError, OSError):
        pass
    except ValueError:
        print("TORN", flush=True)


def main():
    if sys.argv[1] != "send":
        s = socket.create_server(("", int(sys.argv[2])))
        while True:
            threading.Thread(target=hear, args=(s.accept()[0], sys.argv[3]), daemon=True).start()
    kind, count = sys.argv[4], int(sys.argv[5])
    pause = int(sys.argv[6]) / 1000 if len(sys.argv) > 6 else 0.04
    s = socket.create_connection((sys.argv[2], int(sys.argv[3])))
    if kind == "counted":
        # As the library does that syslog-ng is made with (ivykis), again and again.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    for n in range(count):
        data = frame(kind, "%d %s" % (n, ("x " if kind == "line" else "x\n") * (n % 200)))
        half = len(data) // 2
        s.sendall(data[:half])
        time.sleep(pause / 2)
        s.sendall(data[half:])
        time.sleep(pause / 2)
    time.sleep(3)
    s.close()


main()
