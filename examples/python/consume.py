#!/usr/bin/env python3
"""Reads the frames of one strategy's queues, and prints what they hold.

    orchard ingest capture.csv --feed demo --strategies apple,numpy? --broker amqp://localhost
    consume.py --feed demo --strategy numpy --shards 1 --url amqp://localhost
"""

import argparse
import signal
import sys
import time

import numpy as np
import pika
import pika.exceptions

from orchard_frame import END_OF_RUN, TRADE, UNITS_PER_ONE, FrameError, read_frame

PREFETCH = 16  # unacknowledged frames per queue: what this program holds at most


def main():
    options = parse_options()
    reader = Reader(options)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        reader.run()
    except KeyboardInterrupt:
        pass
    except pika.exceptions.ChannelClosedByBroker as error:
        sys.exit(f"{error.reply_text}\n  `orchard ingest` makes the queues: name '{options.strategy}?' in --strategies")
    except pika.exceptions.AMQPConnectionError as error:
        sys.exit(f"the broker cannot be reached, or is gone: {error!r}\n  see --url")
    reader.print_totals()


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="amqp://guest:guest@localhost:5672/%2f", help="the broker")
    parser.add_argument("--feed", required=True)
    parser.add_argument("--strategy", required=True, help="whose queues are read; nobody else may read them")
    parser.add_argument("--shards", type=int, default=1, help="how many shards the feed has")
    return parser.parse_args()


class Reader:
    def __init__(self, options):
        self.options = options
        self.shards = {}  # (run, shard) → Shard
        self.dead = 0
        self.seconds = 0.0

    def run(self):
        """Reads until the run has ended in all shards."""
        connection = pika.BlockingConnection(pika.URLParameters(self.options.url))
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.confirm_delivery()
        for shard in range(self.options.shards):
            queue = f"orchard.{self.options.feed}.{self.options.strategy}.{shard}"
            channel.queue_declare(queue, passive=True)
            channel.basic_consume(queue, self.take)
        started = time.monotonic()
        try:
            channel.start_consuming()
        finally:
            self.seconds = time.monotonic() - started
            if connection.is_open:
                connection.close()

    def take(self, channel, method, properties, body):
        try:
            frame = read_frame(body)
        except FrameError as error:
            self.dead_letter(channel, method, properties, body, str(error))
        else:
            shard = self.shards.setdefault((frame.run, frame.shard), Shard())
            print(shard.take(frame), flush=True)
        channel.basic_ack(method.delivery_tag)
        ended = sum(shard.ended for shard in self.shards.values())
        if ended == self.options.shards:
            channel.stop_consuming()

    def dead_letter(self, channel, method, properties, body, reason):
        """What is no frame goes to the feed's dead letters, with the reason."""
        self.dead += 1
        print(f"dead letter: {reason}", flush=True)
        headers = {
            "x-orchard-reason": reason,
            "x-orchard-queue": f"orchard.{self.options.feed}.{self.options.strategy}",
            "x-orchard-exchange": method.exchange,
            "x-orchard-routing-key": method.routing_key,
            "x-orchard-at": time.time_ns(),
        }
        dead = f"orchard.{self.options.feed}.dead"
        channel.basic_publish("", dead, body, pika.BasicProperties(headers=headers, delivery_mode=2), mandatory=True)

    def print_totals(self):
        ticks = sum(shard.ticks for shard in self.shards.values())
        for (run, number), shard in sorted(self.shards.items()):
            for line in shard.table():
                print(f"run {run[:8]} shard {number}: {line}")
        frames = sum(shard.frames for shard in self.shards.values())
        rate = ticks / self.seconds if self.seconds else 0
        print(f"total: {frames} frames, {ticks} ticks, {self.dead} dead letters, {rate:,.0f} ticks/s")


class Shard:
    """One shard of one run: its cursor, its symbols and what was counted. Arrays are by instrument."""

    def __init__(self):
        self.next_seq = None
        self.symbols = []
        self.frames = self.ticks = 0
        self.ended = False
        self.ticks_of = np.zeros(0, np.int64)
        self.volume_of = np.zeros(0)
        self.turnover_of = np.zeros(0)

    def take(self, frame):
        """Takes each tick once, whatever comes twice or too early; says what the frame was."""
        for number, symbol, _ in frame.new_instruments:
            self.symbols += ["?"] * (number + 1 - len(self.symbols))
            self.symbols[number] = symbol
        if self.next_seq is None:
            self.next_seq = frame.first_seq
        if frame.first_seq > self.next_seq:
            return f"shard {frame.shard} seq {frame.first_seq}: dropped, {self.next_seq} comes first; it is sent again"
        ticks = frame.ticks[self.next_seq - frame.first_seq :]
        self.next_seq += len(ticks)
        self.frames += 1
        self.ended |= bool(frame.flags & END_OF_RUN)
        self.count(ticks)
        seen = [self.symbol(number) for number in np.unique(ticks["instrument"])]
        more = ", …" if len(seen) > 5 else ""
        again = len(frame.ticks) - len(ticks)
        return (
            f"shard {frame.shard} seq {frame.first_seq}: {len(ticks)} ticks of {', '.join(seen[:5])}{more}"
            + (f", {again} more came again" if again else "")
            + (", end of run" if frame.flags & END_OF_RUN else "")
        )

    def count(self, ticks):
        self.ticks += len(ticks)
        # A frame that came twice, or a heartbeat, has none.
        size = max(len(self.ticks_of), int(ticks["instrument"].max(initial=0)) + 1)
        for name in ("ticks_of", "volume_of", "turnover_of"):
            getattr(self, name).resize(size, refcheck=False)
        trades = ticks[ticks["kind"] == TRADE]
        volume = trades["size"] / UNITS_PER_ONE
        turnover = trades["price"] / UNITS_PER_ONE * volume
        self.ticks_of += np.bincount(ticks["instrument"], minlength=size)
        self.volume_of += np.bincount(trades["instrument"], volume, minlength=size)
        self.turnover_of += np.bincount(trades["instrument"], turnover, minlength=size)

    def symbol(self, number):
        # A reader that came late has missed the frame that named it.
        return self.symbols[number] if number < len(self.symbols) else f"#{number}"

    def table(self):
        for number in np.flatnonzero(self.ticks_of):
            volume = self.volume_of[number]
            mean = f", mean price {self.turnover_of[number] / volume:g}" if volume else ""
            yield f"{self.symbol(number)}: {self.ticks_of[number]} ticks, traded {volume:g}{mean}"


if __name__ == "__main__":
    main()
