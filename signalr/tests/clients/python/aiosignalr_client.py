"""aiosignalr over each transport and protocol: python aiosignalr_client.py URL PROXIED CONTROL."""

import asyncio
import sys
import urllib.request

from aiosignalr.client import HubConnection
from aiosignalr.client.retry import RetryPolicy

BASE, PROXIED, CONTROL = sys.argv[1:]
COMBINATIONS = [
    ("WebSockets", "json"),
    ("WebSockets", "messagepack"),
    ("ServerSentEvents", "json"),
    ("LongPolling", "json"),
    ("LongPolling", "messagepack"),
]


class Soon(RetryPolicy):
    """Tries for about five seconds."""

    def next_retry_delay(self, context):
        return 0.2 if context.previous_retry_count < 25 else None


async def until(is_so, what):
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)
    return what


async def command(path):
    await asyncio.to_thread(lambda: urllib.request.urlopen(CONTROL + path).read())


async def converse(transport, protocol):
    connection = HubConnection(protocol=protocol)
    items, texts = [], []
    connection.on("Item", items.append)
    connection.on("FromGroup", texts.append)
    await connection.start(BASE + "/hubs/test", transports={transport})
    assert await connection.invoke("Add", 40, 2) == 42
    assert [item async for item in await connection.stream("Count", 3)] == [0, 1, 2]
    try:
        await connection.invoke("ThrowHub", "known")
        raise AssertionError("it did not fail")
    except Exception as error:
        assert "HubException: known" in str(error), error
    group = f"{transport} {protocol}"
    await connection.invoke("Join", group)
    await connection.invoke("CallGroup", group, "hello")
    await connection.invoke("CallMany", 20)
    await until(lambda: len(items) == 20 and texts == ["hello"], "messages")
    assert items == list(range(20)), items
    await connection.stop()


async def once_linked(connection, method):
    """Calls of a link that has just been cut fail, where other clients keep them."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await connection.invoke(method)
            except Exception:
                await asyncio.sleep(0.05)


async def reattach(protocol):
    connection = HubConnection(protocol=protocol).with_retry_policy(Soon()).with_stateful_reconnect()
    items = []
    connection.on("Item", items.append)
    await connection.start(PROXIED + "/hubs/stateful", transports={"WebSockets"})
    own = await connection.invoke("MyId")
    for _ in range(3):
        call = asyncio.create_task(connection.invoke("CallMany", 100))
        await command("/cut")
        await call
        assert await once_linked(connection, "MyId") == own
    await until(lambda: len(items) >= 300, "items")
    assert items == 3 * list(range(100)), items
    await connection.stop()


async def reconnect():
    connection = HubConnection().with_retry_policy(Soon())
    back = asyncio.Event()
    connection.on_reconnected = back.set
    await connection.start(BASE + "/hubs/test", transports={"WebSockets"})
    await command("/restart")
    async with asyncio.timeout(20):
        await back.wait()
    assert await connection.invoke("Add", 1, 2) == 3
    await connection.stop()


async def main():
    await asyncio.gather(*(converse(*combination) for combination in COMBINATIONS))
    for protocol in ("json", "messagepack"):
        await reattach(protocol)
    await reconnect()


asyncio.run(main())
