"""The golden frames that the Rust tests write, read by the Python reader."""

import pathlib
import struct
import unittest

import google_crc32c

from orchard_frame import BID, DICTIONARY, LAST, TRADE, FrameError, read_frame

GOLDEN = pathlib.Path(__file__).parents[2] / "tick-feed/tests/golden"


def golden(name):
    return (GOLDEN / name).read_bytes()


def with_right_crc(body):
    return body[:12] + struct.pack("<I", google_crc32c.value(bytes(body[16:]))) + body[16:]


class Wire(unittest.TestCase):
    def test_every_field_is_what_the_writer_put_there(self):
        frame = read_frame(golden("frame-v1.bin"))
        self.assertEqual(frame.run, "07" * 16)
        self.assertEqual((frame.shard, frame.shards, frame.attempt, frame.flags), (1, 3, 2, 0))
        self.assertEqual((frame.first_seq, frame.end_seq), (1000, 1003))
        self.assertEqual(frame.published_at, 1_723_161_258_362_000_000)
        self.assertEqual(frame.watermark, 1_723_161_258_000_000_000)
        self.assertEqual(frame.new_instruments, [(0, "BTCUSDT", "btc-eth"), (1, "ETHUSDT", "btc-eth")])
        self.assertEqual(frame.dictionary_len, 2)
        trade, bid = (0, 1, 61_800_100_000_000, 5, 0, TRADE, 1, LAST), (1, 2, 61_800_000_000_000, 7, 1, BID, 0, LAST)
        self.assertEqual(frame.ticks.tolist(), [trade, bid, (2, 3) + trade[2:]])

    def test_ticks_are_in_place(self):
        body = golden("frame-v1.bin")
        self.assertFalse(read_frame(body).ticks.flags.owndata)

    def test_long_names_stand_elsewhere(self):
        frame = read_frame(golden("frame-v1-names.bin"))
        self.assertEqual((frame.flags, len(frame.ticks), frame.dictionary_len), (DICTIONARY, 0, 3))
        names = [(0, "BTC-PERP", "BTC-PERP"), (1, "BTC-PERPS", "perpetuals €"), (2, "X" * 70, "a")]
        self.assertEqual(frame.new_instruments, names)

    def test_every_truncation_and_every_flipped_bit_is_found(self):
        for name in ("frame-v1.bin", "frame-v1-names.bin"):
            body = golden(name)
            for length in range(len(body)):
                with self.assertRaises(FrameError):
                    read_frame(body[:length])
            for bit in range(8 * len(body)):
                changed = bytearray(body)
                changed[bit // 8] ^= 1 << bit % 8
                with self.assertRaises(FrameError):
                    read_frame(bytes(changed))

    def test_a_wrong_archive_with_the_right_crc_is_an_error_or_a_frame(self):
        """Nothing but FrameError comes out, whatever a broken writer put there."""
        for name in ("frame-v1.bin", "frame-v1-names.bin"):
            body = golden(name)
            for at in range(16, len(body)):
                for value in (0x00, 0x7F, 0x80, 0xFF):
                    try:
                        read_frame(with_right_crc(body[:at] + bytes([value]) + body[at + 1 :]))
                    except FrameError:
                        pass

    def test_an_instrument_without_a_place_in_the_dictionary_is_refused(self):
        body = golden("frame-v1.bin")
        with self.assertRaisesRegex(FrameError, "instrument 1, and its dictionary has 1"):
            read_frame(with_right_crc(body[:0xF8] + struct.pack("<I", 1) + body[0xFC:]))

    def test_another_version_is_named(self):
        body = bytearray(golden("frame-v1.bin"))
        body[4] = 9
        with self.assertRaisesRegex(FrameError, "wire version is 9"):
            read_frame(bytes(body))
        with self.assertRaisesRegex(FrameError, "magic"):
            read_frame(b'{"hello":1}')


if __name__ == "__main__":
    unittest.main()
