"""One door to Odoo's two.  front.py PORT HTTP_PORT EVENTED_PORT

In prefork mode Odoo answers pages on one port and websockets on another; in production nginx stands before
both. This is the least that does the same on loopback. Where a connection goes is decided by its first request
line: a browser never sends a websocket over a connection it used for pages.
"""

import asyncio
import contextlib
import sys

HOST = "127.0.0.1"
CHUNK = 1 << 16


async def pipe(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError, OSError):
        writer.write_eof()


async def serve(reader, writer, pages, websockets):
    upstream = None
    try:
        head = await reader.read(CHUNK)
        if not head:
            return
        is_socket = head.split(b"\r\n", 1)[0].split(b" ")[1:2] and head.split(b" ", 2)[1].startswith(b"/websocket")
        back, upstream = await asyncio.open_connection(HOST, websockets if is_socket else pages)
        upstream.write(head)
        there = asyncio.create_task(pipe(reader, upstream))
        await pipe(back, writer)  # the answer's end ends the connection
        there.cancel()
    except (ConnectionError, OSError):
        pass  # Odoo is starting or stopping
    finally:
        for end in (upstream, writer):
            if end:
                end.close()


async def main(port, pages, websockets):
    server = await asyncio.start_server(lambda r, w: serve(r, w, pages, websockets), HOST, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(*map(int, sys.argv[1:4])))
