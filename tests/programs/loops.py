# SPDX-License-Identifier: MIT
"""Twenty connections to an echo server by another event loop: loops.py twisted|gevent|tornado|trio HOST PORT"""
import sys

which, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
ALL, LINES = 20, 150


def line(n, i):
    return b"%d %d " % (n, i) + b"x" * 1500 + b"\n"


def with_twisted():
    from twisted.internet import protocol, reactor
    from twisted.protocols.basic import LineOnlyReceiver
    left = [ALL]

    class Client(LineOnlyReceiver):
        delimiter = b"\n"

        def connectionMade(self):
            self.i = 0
            self.transport.write(line(self.factory.n, 0))

        def lineReceived(self, got):
            if got + b"\n" != line(self.factory.n, self.i):
                print("wrong", self.factory.n, self.i)
                reactor.stop()
            self.i += 1
            if self.i < LINES:
                reactor.callLater(0.01, self.transport.write, line(self.factory.n, self.i))
            else:
                self.transport.loseConnection()
                left[0] -= 1
                if not left[0]:
                    print("all")
                    reactor.callLater(0.1, reactor.stop)

    for n in range(ALL):
        f = protocol.ClientFactory()
        f.protocol, f.n = Client, n
        reactor.connectTCP(host, port, f)
    reactor.run()


def with_gevent():
    import gevent
    from gevent import monkey
    monkey.patch_all()
    import socket

    def one(n):
        s = socket.create_connection((host, port))
        f = s.makefile("rwb")
        for i in range(LINES):
            f.write(line(n, i))
            f.flush()
            assert f.readline() == line(n, i)
            gevent.sleep(0.01)

    gevent.joinall([gevent.spawn(one, n) for n in range(ALL)], raise_error=True)
    print("all")


def with_tornado():
    import asyncio
    from tornado.tcpclient import TCPClient

    async def one(n):
        s = await TCPClient().connect(host, port)
        for i in range(LINES):
            await s.write(line(n, i))
            assert await s.read_until(b"\n") == line(n, i)
            await asyncio.sleep(0.01)

    async def main():
        await asyncio.gather(*(one(n) for n in range(ALL)))
    asyncio.run(main())
    print("all")


def with_trio():
    import trio

    async def one(n):
        s = await trio.open_tcp_stream(host, port)
        for i in range(LINES):
            await s.send_all(line(n, i))
            got = b""
            while not got.endswith(b"\n"):
                more = await s.receive_some(65536)
                assert more
                got += more
            assert got == line(n, i)
            await trio.sleep(0.01)

    async def main():
        async with trio.open_nursery() as nursery:
            for n in range(ALL):
                nursery.start_soon(one, n)
    trio.run(main)
    print("all")


globals()["with_" + which]()
