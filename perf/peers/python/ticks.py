"""What the embedded peers share: ticks as Orchard writes them, and signals as they are compared.

Prices and sizes stay integers of 1e-9 from the text on, so that `raw * 1e-9` is the same float as ours.
"""

import csv
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

TRADE, BID, ASK = 1, 2, 3
KINDS = {"trade": TRADE, "bid": BID, "ask": ASK}
# What stands for a price that is not there.
UNDEFINED = np.iinfo(np.int64).max
SIDES = {1: "buy", -1: "sell"}


@dataclass
class Ticks:
    """Columns, in order of receipt."""

    symbols: list[str]
    ts_event: np.ndarray
    ts_recv: np.ndarray
    # Index into symbols.
    instrument: np.ndarray
    kind: np.ndarray
    price: np.ndarray
    size: np.ndarray
    # Whether the source's event ends with it.
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)


def stop(why: str) -> None:
    """Ends the process with a reason."""
    sys.exit(why)


def read(path: str) -> Ticks:
    """Reads a CSV file that `orchard convert` or `orchard generate` wrote."""
    text = {"symbol": "str", "kind": "str", "price": "str", "size": "str"}
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False)
        codes, symbols = pd.factorize(table["symbol"])
        return Ticks(
            symbols=[str(symbol) for symbol in symbols],
            ts_event=table["ts_event"].to_numpy(np.int64),
            ts_recv=table["ts_recv"].to_numpy(np.int64),
            instrument=codes.astype(np.int64),
            kind=table["kind"].map(KINDS).to_numpy(np.int64),
            price=raw(table["price"]),
            size=raw(table["size"]),
            last=(table["flags"].to_numpy(np.int64) & 1) == 1,
        )
    except (OSError, KeyError, ValueError) as error:
        stop(f"{path} is not a file of ticks as `orchard generate` writes them: {error}")


def raw(decimals: pd.Series) -> np.ndarray:
    """Decimal text as integers of 1e-9, exactly. The texts repeat, so each is looked at once."""
    codes, texts = pd.factorize(decimals)
    return np.array([parse(text) for text in texts], np.int64)[codes]


def parse(text: str) -> int:
    """One decimal number as an integer of 1e-9."""
    if not text:
        return UNDEFINED
    whole, _, fraction = text.removeprefix("-").partition(".")
    if len(fraction) > 9:
        raise ValueError(f"{text} has more than nine decimals")
    value = int(whole) * 10**9 + int(fraction.ljust(9, "0"))
    return -value if text.startswith("-") else value


def decimal(value: int) -> str:
    """The shortest text of an integer of 1e-9."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole, fraction = divmod(value, 10**9)
    return f"{sign}{whole}.{fraction:09}".rstrip("0").rstrip(".")


def write_signals(path: str, symbols: list[str], signals) -> None:
    """Writes (index of symbol, ts_event, 1 to buy or -1 to sell, raw price)."""
    with open(path, "w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["instrument", "ts_event", "side", "price"])
        for instrument, ts_event, side, price in signals:
            lines.writerow([symbols[int(instrument)], int(ts_event), SIDES[int(side)], decimal(int(price))])
