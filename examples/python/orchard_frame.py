"""Reads a frame, the body of one message, as `tick-feed/WIRE.md` describes it.

The ticks are a structured numpy array over the body itself: nothing is copied, and no Python code
runs for a single tick.
"""

import struct
from dataclasses import dataclass

import google_crc32c
import numpy as np

WIRE_VERSION = 1
MAX_FRAME_BYTES = 64 << 20

END_OF_RUN, HEARTBEAT, DICTIONARY = 1, 2, 4  # bits of Frame.flags
TRADE, BID, ASK = 1, 2, 3  # values of the field `kind`
LAST = 1  # bit of the field `flags`
UNDEFINED_PRICE = (1 << 63) - 1
UNITS_PER_ONE = 1_000_000_000  # of price and size

TICK = np.dtype(
    [
        ("ts_event", "<u8"),  # ns since the UNIX epoch
        ("ts_recv", "<u8"),  # ns since the UNIX epoch
        ("price", "<i8"),  # 1e-9 of the quote unit
        ("size", "<u8"),  # 1e-9 of the base unit
        ("instrument", "<u4"),
        ("kind", "u1"),
        ("side", "u1"),
        ("flags", "<u2"),
    ]
)
assert TICK.itemsize == 40

PREFIX = struct.Struct("<4sIII16sQQQIIHHIQ")
assert PREFIX.size == 80
CRC_FROM = 16
ROOT = struct.Struct("<iIIiI")
NEW_INSTRUMENT = struct.Struct("<I8s8s")


class FrameError(ValueError):
    """Bytes that are no frame of this version, and why."""


@dataclass(frozen=True)
class Frame:
    run: str
    shard: int
    shards: int
    attempt: int
    first_seq: int
    published_at: int
    watermark: int
    flags: int
    new_instruments: list  # (id, symbol, key), in order of the ids
    dictionary_len: int
    ticks: np.ndarray

    @property
    def end_seq(self):
        return self.first_seq + len(self.ticks)


def read_frame(body: bytes) -> Frame:
    """Checks a body and gives the frame; raises FrameError with the reason."""
    if body[:4] != b"ORFR":
        raise FrameError("it does not begin with the magic of a frame")
    if len(body) < PREFIX.size + ROOT.size:
        raise FrameError(f"{len(body)} bytes are too few for a frame")
    (_, version, total, crc, run, first_seq, published_at, watermark, count, attempt, shard, shards, flags, _) = (
        PREFIX.unpack_from(body)
    )
    if version != WIRE_VERSION:
        raise FrameError(f"its wire version is {version}, and this program reads {WIRE_VERSION}")
    if total != len(body) or total > MAX_FRAME_BYTES:
        raise FrameError(f"its length is {len(body)} bytes, and its prefix says {total}")
    found = google_crc32c.value(body[CRC_FROM:])
    if found != crc:
        raise FrameError(f"its crc32c is {found:08x}, and its prefix says {crc:08x}")

    # The archive's root is at its end. A pointer is relative to the place where it stands itself.
    root = len(body) - ROOT.size
    new_ptr, new_len, dictionary_len, ticks_ptr, ticks_len = ROOT.unpack_from(body, root)
    new_at, ticks_at = root + new_ptr, root + 12 + ticks_ptr
    if ticks_len != count:
        raise FrameError(f"it holds {ticks_len} ticks, and its prefix says {count}")
    check_range("its ticks", ticks_at, ticks_len * TICK.itemsize, root)
    check_range("its new instruments", new_at, new_len * NEW_INSTRUMENT.size, root)

    places = range(new_at, new_at + new_len * NEW_INSTRUMENT.size, NEW_INSTRUMENT.size)
    new_instruments = [read_instrument(body, at) for at in places]
    ticks = np.frombuffer(body, TICK, ticks_len, ticks_at)
    last = max(int(ticks["instrument"].max(initial=0)), *(number for number, _, _ in new_instruments), 0)
    if last >= dictionary_len and (ticks_len or new_len):
        raise FrameError(f"it names instrument {last}, and its dictionary has {dictionary_len}")
    return Frame(
        run=run.hex(),
        shard=shard,
        shards=shards,
        attempt=attempt,
        first_seq=first_seq,
        published_at=published_at,
        watermark=watermark,
        flags=flags,
        new_instruments=new_instruments,
        dictionary_len=dictionary_len,
        ticks=ticks,
    )


def read_instrument(body, at):
    (number,) = struct.unpack_from("<I", body, at)
    return number, read_text(body, at + 4), read_text(body, at + 12)


def read_text(body, at):
    """Up to eight bytes stand in place, filled up from the first 0xff on; a longer text is elsewhere."""
    if body[at] & 0xC0 != 0x80:
        text = body[at : at + 8].split(b"\xff", 1)[0]
    else:
        # 0b10 in the first byte's top bits says so; the length lacks these two bits.
        length, offset = struct.unpack_from("<Ii", body, at)
        length = length & 0x3F | (length & ~0xFF) >> 2
        check_range("a name", at + offset, length, len(body))
        text = body[at + offset : at + offset + length]
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise FrameError("a name is not UTF-8") from None


def check_range(what, start, length, end):
    if not PREFIX.size <= start <= start + length <= end:
        raise FrameError(f"its archive is not valid: {what} would be at byte {start}, {length} bytes long")
