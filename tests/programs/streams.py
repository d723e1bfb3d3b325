# SPDX-License-Identifier: MIT
"""Twenty echo connections at once with asyncio's streams: streams.py HOST PORT"""
import asyncio
import sys


async def one(n):
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    for i in range(150):
        line = b"%d %d " % (n, i) + b"x" * 2000 + b"\n"
        writer.write(line)
        await writer.drain()
        if await reader.readline() != line:
            raise SystemExit("connection %d: line %d is wrong" % (n, i))
        await asyncio.sleep(0.02)
    writer.close()
    await writer.wait_closed()
    return n


async def main():
    print(sum(await asyncio.gather(*(one(n) for n in range(20)))))


asyncio.run(main())
