"""signalrcore where it works: python signalrcore_client.py URL PROXIED CONTROL.

It reads one binary message of a poll, so it does not poll with MessagePack here.
"""

import sys
import threading
import time
import urllib.request

from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.protocol.messagepack_protocol import MessagePackHubProtocol
from signalrcore.types import HttpTransportType

BASE, PROXIED, CONTROL = sys.argv[1:]


def until(is_so, what):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


class Client:
    """A client that is connected, whose calls can be waited for."""

    def __init__(self, url, transport=None, protocol=None):
        options = {} if transport is None else {"transport": transport}
        builder = HubConnectionBuilder().with_url(url, options=options)
        builder = builder.with_automatic_reconnect(
            {"type": "raw", "keep_alive_interval": 5, "reconnect_interval": 1, "max_attempts": 10}
        )
        if protocol is not None:
            builder = builder.with_hub_protocol(protocol)
        self.connection = builder.build()
        self.items, self.texts, self.opened, self.again = [], [], threading.Event(), threading.Event()
        self.connection.on_open(self.opened.set)
        self.connection.on_reconnect(self.again.set)
        self.connection.on("Item", lambda arguments: self.items.append(arguments[0]))
        self.connection.on("FromGroup", lambda arguments: self.texts.append(arguments[0]))
        self.connection.start()
        assert self.opened.wait(10), "it does not open"

    def invoke(self, method, *arguments):
        answers, ended = [], threading.Event()

        def on_answer(message):
            answers.append(message)
            ended.set()

        self.connection.invoke(method, list(arguments), on_answer)
        assert ended.wait(10), f"{method} is not answered"
        return answers[0].result

    def stream(self, method, count):
        """Items of a stream without an end; the first ones may come before anybody can ask for them."""
        items = []
        callbacks = {"next": items.append, "complete": lambda _: None, "error": lambda _: None}
        self.connection.stream(method, []).subscribe(callbacks)
        until(lambda: len(items) >= count, "items")
        return items[:count]


def converse(name, *arguments):
    client = Client(BASE + "/hubs/test", *arguments)
    assert client.invoke("Add", 40, 2) == 42
    first, second, third = client.stream("Endless", 3)
    assert (second, third) == (first + 1, first + 2)
    client.invoke("Join", name)
    client.invoke("CallGroup", name, "hello")
    until(lambda: client.texts == ["hello"], "the group's message")
    client.invoke("CallMany", 5)
    until(lambda: len(client.items) == 5, "items")
    client.connection.stop()


def reconnect():
    client = Client(PROXIED + "/hubs/test", HttpTransportType.web_sockets)
    urllib.request.urlopen(CONTROL + "/cut").read()
    assert client.again.wait(20), "it does not connect again"
    until(lambda: client.connection.transport.is_running(), "the connection")
    assert client.invoke("Add", 1, 2) == 3
    client.connection.stop()


converse("any")
converse("ws", HttpTransportType.web_sockets)
converse("ws messagepack", HttpTransportType.web_sockets, MessagePackHubProtocol())
converse("sse", HttpTransportType.server_sent_events)
reconnect()
