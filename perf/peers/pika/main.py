"""pika alone: one publisher and consumers that each get all of its opaque bodies, each in a process of its own, as one
interpreter runs only one of them at a time. SelectConnection, as BlockingConnection waits for each
confirm.
"""

import argparse
import ctypes
import json
import multiprocessing
import os
import signal
import sys
import time

import pika
from pika.adapters.utils import io_services_utils

# What does not come within this time, in seconds, does not come.
PATIENCE = 30
# The library reads 4096 bytes at a time. A body's size, within these bounds, is what was fastest.
READ_BYTES = (1 << 16, 1 << 17)
# prctl's option to be killed with the parent.
PR_SET_PDEATHSIG = 1


class Side:
    """A connection with a channel, and an event loop that ends with its work or with an error."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.error: str | None = None
        # When the work was done.
        self.done: float | None = None
        self.progress = 0
        self.seen = -1
        parameters = pika.URLParameters(options.url)
        parameters.heartbeat = 0
        self.connection = pika.SelectConnection(
            parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.opened),
            on_open_error_callback=lambda _, error: self.fail(f"connecting: {error!r}"),
            on_close_callback=lambda _, error: self.closed("connection", error),
        )
        self.watch()

    def opened(self, channel: pika.channel.Channel) -> None:
        """The channel is there."""
        self.channel = channel
        channel.add_on_close_callback(lambda _, error: self.closed("channel", error))
        self.begin()

    def begin(self) -> None:
        """What this side does first."""
        raise NotImplementedError

    def watch(self) -> None:
        """Ends the loop when nothing has moved for long."""
        if self.progress == self.seen:
            self.fail(f"nothing came for {PATIENCE} s; see whether the broker has an alarm")
            return
        self.seen = self.progress
        self.connection.ioloop.call_later(PATIENCE, self.watch)

    def fail(self, why: str) -> None:
        """Ends the loop with the first error."""
        self.error = self.error or why
        self.connection.ioloop.stop()

    def closed(self, what: str, error: Exception) -> None:
        """As it should be after the work, and else an error."""
        if self.done is None:
            self.fail(f"the {what} ended: {error!r}")
        elif what == "connection":
            self.connection.ioloop.stop()

    def end(self) -> None:
        """Takes the time; what is still to be sent goes out before the connection ends."""
        self.done = time.monotonic()
        self.connection.close()

    def run(self) -> None:
        """Runs to the end of the work."""
        self.connection.ioloop.start()
        if self.error:
            raise RuntimeError(self.error)


class Consumer(Side):
    """Takes all of one queue."""

    def __init__(self, options: argparse.Namespace, number: int, pipe) -> None:
        self.queue = f"{exchange_name(options)}-{number}"
        self.together = max(options.window // 4, 1)
        self.pipe = pipe
        super().__init__(options)

    def begin(self) -> None:
        # A queue goes with its consumer and the exchange with its last queue, whatever ends this process.
        self.channel.exchange_declare(
            exchange_name(self.options), exchange_type="fanout", auto_delete=True, callback=self.routed
        )

    def routed(self, _) -> None:
        """The exchange is there."""
        self.channel.queue_declare(self.queue, auto_delete=True, callback=self.declared)

    def declared(self, _) -> None:
        """The queue is there."""
        self.channel.queue_bind(self.queue, exchange_name(self.options), callback=self.bound)

    def bound(self, _) -> None:
        """It gets what is published."""
        self.channel.basic_qos(prefetch_count=min(2 * self.options.window, 5000), callback=self.limited)

    def limited(self, _) -> None:
        """The prefetch holds."""
        self.channel.basic_consume(self.queue, self.take, callback=lambda _: self.pipe.send("ready"))

    def take(self, channel, method, _, body: bytes) -> None:
        """One message."""
        if len(body) != self.options.body_bytes:
            self.fail("a message came that is not ours")
            return
        self.progress += 1
        if self.progress % self.together == 0 or self.progress == self.options.messages:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if self.progress == self.options.messages:
            self.end()


class Publisher(Side):
    """Keeps a window of unconfirmed messages full."""

    def __init__(self, options: argparse.Namespace, pipe) -> None:
        self.exchange = exchange_name(options)
        self.body = bytes([7]) * options.body_bytes
        self.published = 0
        # All tags up to `progress` are confirmed, and these.
        self.ahead: set[int] = set()
        self.pipe = pipe
        super().__init__(options)

    def begin(self) -> None:
        self.channel.confirm_delivery(self.confirmed, callback=self.start)

    def start(self, _) -> None:
        """Consumers are ready before this process is started."""
        self.started = time.monotonic()
        self.fill()

    def fill(self) -> None:
        """Publishes what the window has room for."""
        options = self.options
        end = min(self.progress + options.window, options.messages)
        while self.published < end:
            self.channel.basic_publish(self.exchange, "", self.body)
            self.published += 1

    def confirmed(self, frame) -> None:
        """The broker's word for one or for all up to it."""
        method = frame.method
        if not isinstance(method, pika.spec.Basic.Ack):
            self.fail("the broker refused a message; see its log")
            return
        if method.multiple:
            self.progress = max(self.progress, method.delivery_tag)
            self.ahead = {tag for tag in self.ahead if tag > self.progress}
        else:
            self.ahead.add(method.delivery_tag)
        while self.progress + 1 in self.ahead:
            self.progress += 1
            self.ahead.remove(self.progress)
        if self.progress == self.options.messages:
            self.end()
        else:
            self.fill()


def exchange_name(options: argparse.Namespace) -> str:
    """Different in each measurement."""
    return f"peer-pika-{options.measurement}"


def process(options: argparse.Namespace, number: int | None, pipe) -> None:
    """A consumer, or without a number the publisher; says when it began and ended, or why not."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    base = io_services_utils._AsyncTransportBase
    read = min(max(options.body_bytes, READ_BYTES[0]), READ_BYTES[1])
    base._MAX_RECV_BYTES, base._MAX_CONSUME_BYTES = read, 8 * read
    try:
        side = Publisher(options, pipe) if number is None else Consumer(options, number, pipe)
        side.run()
        pipe.send((getattr(side, "started", 0.0), side.done))
    except (RuntimeError, OSError, pika.exceptions.AMQPError) as error:
        pipe.send(str(error) or repr(error))


def begin(options: argparse.Namespace, number: int | None):
    """Starts one side; gives our end of its pipe."""
    ours, theirs = multiprocessing.Pipe()
    multiprocessing.Process(target=process, args=(options, number, theirs), daemon=True).start()
    theirs.close()
    return ours


def receive(pipe, patience: float):
    """What a side says; an error ends everything."""
    try:
        said = pipe.recv() if pipe.poll(patience) else f"nothing was done in {patience} s"
    except EOFError:
        said = "a process was killed; see whether there is memory"
    if isinstance(said, str) and said != "ready":
        sys.exit(said)
    return said


def main() -> None:
    """Consumers first; then time runs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    for name in ("--body-bytes", "--messages", "--window"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--queues", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=600)
    options = parser.parse_args()
    if min(options.body_bytes, options.messages, options.window, options.queues) < 1:
        parser.error("each number is at least 1")
    options.measurement = os.getpid()
    pipes = [begin(options, number) for number in range(options.queues)]
    for pipe in pipes:
        receive(pipe, PATIENCE)
    pipes.append(begin(options, None))
    said = [receive(pipe, options.timeout) for pipe in pipes]
    seconds = max(done for _, done in said) - said[-1][0]
    size = options.messages * options.body_bytes
    print(json.dumps({"seconds": seconds, "messages": options.messages, "bytes": size}))


main()
