# SPDX-License-Identifier: MIT
"""More of Python's ways to have a connection: ends.py uvloop|asyncpg|aiopg|pycurl|pool|passed ..."""
import asyncio
import hashlib
import socket
import sys

which, args = sys.argv[1], sys.argv[2:]


def with_uvloop(host, port):
    import uvloop

    async def one(n):
        reader, writer = await asyncio.open_connection(host, int(port))
        for i in range(150):
            line = b"%d %d " % (n, i) + b"x" * 2000 + b"\n"
            writer.writelines([line[:100], line[100:]])
            await writer.drain()
            if await reader.readline() != line:
                raise SystemExit("connection %d: line %d is wrong" % (n, i))
            await asyncio.sleep(0.02)
        writer.close()
        return n

    async def main():
        print(sum(await asyncio.gather(*(one(n) for n in range(20)))))

    uvloop.install()
    asyncio.run(main())


def with_asyncpg(host, port):
    import asyncpg

    async def one(pool, n):
        total = 0
        for i in range(60):
            async with pool.acquire() as c:
                total += await c.fetchval("SELECT $1::int + length(repeat('x', 3000))", n * i)
                await asyncio.sleep(0.01)
        return total

    async def main():
        pool = await asyncpg.create_pool(host=host, port=int(port), user="mifcont", database="postgres", min_size=5)
        rows = pool.fetch("SELECT i, md5(i::text) m FROM generate_series(1,100000) i")
        rows, *sums = await asyncio.gather(rows, *(one(pool, n) for n in range(15)))
        print(sums, hashlib.md5(repr([tuple(r) for r in rows]).encode()).hexdigest())
        await pool.close()

    asyncio.run(main())


def with_aiopg(host, port):
    import aiopg

    async def main():
        async with aiopg.create_pool("host=%s port=%s user=mifcont dbname=postgres" % (host, port)) as pool:
            async def one(n):
                total = 0
                for i in range(60):
                    async with pool.acquire() as c, c.cursor() as cur:
                        await cur.execute("SELECT %s + length(repeat('x', 3000))", (n * i,))
                        total += (await cur.fetchone())[0]
                        await asyncio.sleep(0.01)
                return total
            print(await asyncio.gather(*(one(n) for n in range(15))))

    asyncio.run(main())


def with_pycurl(url):
    import pycurl
    multi, bodies = pycurl.CurlMulti(), []
    for n in range(6):
        c, b = pycurl.Curl(), hashlib.sha256()
        c.setopt(pycurl.URL, url)
        c.setopt(pycurl.WRITEFUNCTION, b.update)
        multi.add_handle(c)
        bodies.append((c, b))
    left = 1
    while left:
        while multi.perform()[0] == pycurl.E_CALL_MULTI_PERFORM:
            pass
        left = multi.perform()[1]
        multi.select(0.5)
    errors = multi.info_read()[2]
    print([b.hexdigest() for c, b in bodies], errors)


def with_pool(url):
    import concurrent.futures
    import requests
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=8))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for h in pool.map(lambda n: hashlib.sha256(session.get(url, timeout=60).content).hexdigest(), range(160)):
            print(h)


def passed_part(pipe):
    """Lines over the connection that comes through the pipe, which then goes back through it."""
    import time
    s, part = pipe.recv()
    f, good = s.makefile("rwb", buffering=0), 0
    for i in range(40):
        line = b"%d %d " % (part, i) + b"y" * 1500 + b"\n"
        f.write(line)
        good += f.readline() == line
        time.sleep(0.01)
    pipe.send((s, good))
    pipe.recv()


def with_passed(host, port):
    """A connection goes through four processes, for a part of its lines each."""
    import multiprocessing
    spawn = multiprocessing.get_context("spawn")
    for n in range(3):
        s = socket.create_connection((host, int(port)))
        for part in range(4):
            ours, theirs = spawn.Pipe()
            p = spawn.Process(target=passed_part, args=(theirs,))
            p.start()
            ours.send((s, part))
            back, good = ours.recv()
            s.close()
            s = back
            ours.send("got it")
            p.join()
            print(n, part, good)
        s.close()


if __name__ == "__main__":
    globals()["with_" + which](*args)
