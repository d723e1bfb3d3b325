# SPDX-License-Identifier: MIT
"""
What browser.html wants: files, a WebSocket that sends back, a place for its result, and that result for who waits for it:
browsed.py PORT DIRECTORY
"""
import asyncio
import os
import sys

from aiohttp import web

results = asyncio.Queue()
here = os.path.dirname(__file__)


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def put(request):
    await results.put(await request.text())
    return web.Response()


async def get(_):
    return web.Response(text=await results.get())


async def page(_):
    return web.FileResponse(os.path.join(here, "browser.html"))

app = web.Application()
app.add_routes([web.get("/", page), web.get("/echo", echo), web.post("/result", put), web.get("/result", get),
                web.static("/", sys.argv[2])])
web.run_app(app, port=int(sys.argv[1]), print=None)
