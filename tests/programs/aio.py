# SPDX-License-Identifier: MIT
"""Downloads with aiohttp: aio.py URL"""
import asyncio
import sys

import aiohttp


async def main():
    async with aiohttp.ClientSession() as session:
        async with session.get(sys.argv[1]) as answer:
            async for chunk in answer.content.iter_chunked(65536):
                sys.stdout.buffer.write(chunk)


asyncio.run(main())
