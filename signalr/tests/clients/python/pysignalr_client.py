"""pysignalr over WebSockets, which is all that it has: python pysignalr_client.py URL PROXIED CONTROL."""

import asyncio
import contextlib
import sys
import urllib.request

from pysignalr.client import SignalRClient
from pysignalr.protocol.messagepack import MessagepackProtocol

BASE, PROXIED, CONTROL = sys.argv[1:]


class Client:
    """A client that runs, whose calls can be waited for."""

    def __init__(self, url, protocol=None, headers=None):
        self.client = SignalRClient(url, protocol=protocol, headers=headers, retry_sleep=0.2)
        self.opened, self.items, self.texts, self.errors = 0, [], [], []
        self.client.on_open(self.on_open)
        self.client.on_error(self.on_error)
        self.client.on("Item", self.on_item)
        self.client.on("FromGroup", self.on_text)
        self.client.on("Ask", self.on_ask)

    async def on_open(self):
        self.opened += 1

    async def on_error(self, message):
        self.errors.append(message.error)

    async def on_item(self, arguments):
        self.items.append(arguments[0])

    async def on_text(self, arguments):
        self.texts.append(arguments[0])

    async def on_ask(self, arguments):
        return arguments[0].upper()

    async def invoke(self, method, *arguments):
        answer = asyncio.get_running_loop().create_future()

        async def on_answer(message):
            answer.set_result(message.result)

        await self.client.send(method, list(arguments), on_answer)
        return await asyncio.wait_for(answer, 10)

    async def stream(self, method, *arguments):
        items, ended = [], asyncio.Event()

        async def on_next(item):
            items.append(item)

        async def on_complete(_):
            ended.set()

        await self.client.stream(method, list(arguments), on_next, on_complete)
        await asyncio.wait_for(ended.wait(), 10)
        return items


@contextlib.asynccontextmanager
async def connected(*arguments, **options):
    client = Client(*arguments, **options)
    running = asyncio.create_task(client.client.run())
    await until(lambda: client.opened == 1)
    try:
        yield client
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until(is_so):
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


async def converse(name, protocol):
    async with connected(BASE + "/hubs/test", protocol, {"Authorization": "Bearer alice"}) as client:
        assert await client.invoke("Add", 40, 2) == 42
        assert await client.invoke("WhoAmI") == ["alice", "alice"]
        assert await client.stream("Count", 3) == [0, 1, 2]
        await client.invoke("Join", name)
        await client.invoke("CallGroup", name, "hello")
        await client.invoke("CallMany", 20)
        await until(lambda: len(client.items) == 20 and client.texts == ["hello"])
        assert client.items == list(range(20)), client.items
        assert await client.invoke("AskCaller", "what?") == "WHAT?"
        await client.invoke("ThrowHub", "known")
        assert "HubException: known" in client.errors[0], client.errors


async def reconnect():
    async with connected(PROXIED + "/hubs/test") as client:
        await asyncio.to_thread(lambda: urllib.request.urlopen(CONTROL + "/cut").read())
        await until(lambda: client.opened == 2)
        assert await client.invoke("Add", 1, 2) == 3


async def main():
    await converse("json", None)
    await converse("messagepack", MessagepackProtocol())
    await reconnect()


asyncio.run(main())
