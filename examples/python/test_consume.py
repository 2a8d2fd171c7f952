"""consume.py against a real broker: run by scripts/test, which sets the variables below."""

import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import uuid

import pika

from orchard_frame import END_OF_RUN
from test_wire import golden, with_right_crc

FOLDER = pathlib.Path(__file__).parent
CAPTURE = FOLDER.parent.parent / "tests" / "data" / "usdm_btcusdt_20240808.zst"
CAPTURE_TICKS = 153_491
URL = os.environ.get("ORCHARD_TEST_AMQP")
PROGRAM = os.environ.get("ORCHARD_TEST_PROGRAM")  # a built `orchard`
TIMEOUT_SECONDS = 60


def frame_at(first_seq, shard=1, flags=0):
    """The golden frame with three ticks, elsewhere."""
    body = bytearray(golden("frame-v1.bin"))
    body[32:40] = struct.pack("<Q", first_seq)
    body[64:66] = struct.pack("<H", shard)
    body[68:72] = struct.pack("<I", flags)
    return with_right_crc(bytes(body))


@unittest.skipUnless(URL, "ORCHARD_TEST_AMQP names no broker: run scripts/test")
class Consume(unittest.TestCase):
    def setUp(self):
        self.feed = f"python-{uuid.uuid4().hex[:12]}"
        self.connection = pika.BlockingConnection(pika.URLParameters(URL))
        self.channel = self.connection.channel()
        self.queues = [f"orchard.{self.feed}.numpy.{shard}" for shard in (0, 1)]
        self.dead = f"orchard.{self.feed}.dead"
        for queue in (*self.queues, self.dead):
            self.channel.queue_declare(queue, durable=True)

    def tearDown(self):
        for queue in (*self.queues, self.dead, f"orchard.{self.feed}.run"):
            self.channel.queue_delete(queue)
        self.connection.close()

    def consume(self, strategy="numpy"):
        command = [sys.executable, FOLDER / "consume.py", "--url", URL]
        command += ["--feed", self.feed, "--strategy", strategy, "--shards", "2"]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)

    def test_each_tick_is_counted_once_and_what_is_no_frame_is_a_dead_letter(self):
        sent = [
            frame_at(0),
            frame_at(6),  # too early: it comes again
            frame_at(3),
            frame_at(2),  # two of its ticks are known
            b"no frame",
            frame_at(6),
            frame_at(9, flags=END_OF_RUN),
        ]
        for body in sent:
            self.channel.basic_publish("", self.queues[1], body)
        self.channel.basic_publish("", self.queues[0], frame_at(0, shard=0, flags=END_OF_RUN))

        done = self.consume()
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertIn("shard 1 seq 0: 3 ticks of BTCUSDT, ETHUSDT", lines)
        self.assertIn("shard 1 seq 6: dropped, 3 comes first; it is sent again", lines)
        self.assertIn("run 07070707 shard 1: BTCUSDT: 8 ticks, traded 4e-08, mean price 61800.1", lines)
        self.assertIn("run 07070707 shard 1: ETHUSDT: 4 ticks, traded 0", lines)
        self.assertRegex(lines[-1], r"^total: 6 frames, 15 ticks, 1 dead letters, ")
        for queue in self.queues:
            self.assertEqual(self.channel.queue_declare(queue, passive=True).method.message_count, 0)
        _, properties, body = self.channel.basic_get(self.dead, auto_ack=True)
        self.assertEqual(body, b"no frame")
        self.assertIn("magic", properties.headers["x-orchard-reason"])

    @unittest.skipUnless(PROGRAM, "ORCHARD_TEST_PROGRAM names no program: run scripts/test")
    def test_a_feed_is_read_whole(self):
        # The ingester declares the queues with arguments of its own.
        for queue in (*self.queues, self.dead):
            self.channel.queue_delete(queue)
        with tempfile.TemporaryDirectory() as state:
            ingest = [PROGRAM, "ingest", CAPTURE, "--feed", self.feed, "--strategies", "numpy?"]
            ingest += ["--broker", URL, "--shards", "2", "--state", state, "--detach", "--quiet"]
            subprocess.run(ingest, capture_output=True, check=True, timeout=TIMEOUT_SECONDS)
            done = self.consume()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout.splitlines()[-1], rf" {CAPTURE_TICKS} ticks, 0 dead letters, ")

    def test_queues_that_are_not_there_are_an_error_that_says_what_to_do(self):
        done = self.consume(strategy="nobody")
        self.assertEqual(done.returncode, 1)
        self.assertIn("name 'nobody?' in --strategies", done.stderr)


if __name__ == "__main__":
    unittest.main()
