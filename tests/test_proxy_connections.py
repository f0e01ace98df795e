# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Connections that are opened and not used, or too many of them: nobody keeps others out."""

import asyncio

from pos_hardware_proxy import serve
from proxy_shop import is_closed, run, shop


def test_headers_that_drip_and_lines_that_say_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "IDLE_S", 0.5)

    async def story():
        async with shop(tmp_path) as place:
            for beginning in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
                reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
                ended = asyncio.create_task(is_closed(reader))
                writer.write(beginning)
                while not ended.done():
                    await asyncio.sleep(0.05)
                    if beginning and not writer.is_closing():
                        writer.write(b"X: x\r\n")
                assert ended.result()
                writer.close()

    run(story())


def test_headers_that_never_end(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 100_000)
            assert (await reader.readline()).split()[1] == b"400"
            writer.close()

    run(story())


def test_connections_from_one_address_are_counted(tmp_path, monkeypatch):
    """Who holds many open takes them from himself only."""
    monkeypatch.setattr(serve, "PER_ADDRESS", 3)
    monkeypatch.setattr(serve, "IDLE_S", 600.0)

    async def story():
        async with shop(tmp_path) as place:
            held = [await asyncio.open_connection("127.0.0.1", place.port) for _number in range(3)]
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
            assert await asyncio.wait_for(is_closed(reader), 10)
            other = await asyncio.open_connection("127.0.0.1", place.port, local_addr=("127.0.0.2", 0))
            other[1].write(b"GET /hw_proxy/hello HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert (await other[0].readline()).split()[1] == b"200"
            for _reader, line in (*held, other, (reader, writer)):
                line.close()
            await asyncio.sleep(0.1)
            async with place.session.get(f"{place.url}/hw_proxy/hello") as response:
                assert response.status == 200  # they are free again

    run(story())


def test_connections_altogether_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "ALTOGETHER", 2)
    monkeypatch.setattr(serve, "IDLE_S", 600.0)

    async def story():
        async with shop(tmp_path) as place:
            lines = []
            for number in (2, 3, 4):
                address = (f"127.0.0.{number}", 0)
                lines.append(await asyncio.open_connection("127.0.0.1", place.port, local_addr=address))
                await asyncio.sleep(0.05)
            assert await asyncio.wait_for(is_closed(lines[-1][0]), 10)
            for _reader, line in lines:
                line.close()

    run(story())
