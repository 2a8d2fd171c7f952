"""Writes the Parquet files beside it, with pyarrow, pandas and polars: what their users have.

    pip install pyarrow pandas polars && python make.py
"""

from datetime import date, datetime, time, timezone
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

START = 1_717_232_400_000_000_000  # 2024-06-01T09:00:00Z
STEP = 250_000_001


def fixed(values, scale, size):
    """Fixed-point numbers as a Nautilus catalogue has them; None is its largest number."""
    largest = (1 << (8 * size - 1)) - 1
    raw = [largest if v is None else int(Decimal(v).scaleb(scale)) for v in values]
    return pa.array([v.to_bytes(size, "little", signed=True) for v in raw], pa.binary(size))


def nautilus(columns, kind, **metadata):
    times = {
        "ts_event": pa.array([START + i * STEP for i in range(3)], pa.uint64()),
        "ts_init": pa.array([START + i * STEP + 1_000 for i in range(3)], pa.uint64()),
    }
    pairs = {"instrument_id": "BTCUSDT.BINANCE", "price_precision": "2", "size_precision": "3"}
    table = pa.table({**columns, **times}).replace_schema_metadata({**pairs, **metadata})
    pq.write_table(table, f"nautilus-{kind}.parquet", compression="zstd")


nautilus(
    {
        "price": fixed(["67000.01", "67000.02", "-0.000000001"], 16, 16),
        "size": fixed(["0.001", "2", "0.000000001"], 16, 16),
        "aggressor_side": pa.array([1, 2, 0], pa.uint8()),
        "trade_id": pa.array(["a", "b", "c"]),
    },
    "trades-16",
)
nautilus(
    {
        "price": fixed(["0.0000000000012", "0.0000000000013", "0.0000000000014"], 16, 16),
        "size": fixed(["1", "2", "3"], 16, 16),
        "aggressor_side": pa.array([1, 2, 0], pa.uint8()),
        "trade_id": pa.array(["a", "b", "c"]),
    },
    "trades-fine",
    instrument_id="PEPEWETH.DEX",
)
nautilus(
    {
        "bid_price": fixed(["67000.01", None, "67000.02"], 9, 8),
        "ask_price": fixed(["67000.03", "67000.04", None], 9, 8),
        "bid_size": fixed(["0.001", "0", "3"], 9, 8),
        "ask_size": fixed(["1.5", "2", "0"], 9, 8),
    },
    "quotes-8",
)
nautilus(
    {
        "bid_price": pa.array([67_000_010_000_000, 67_000_020_000_000, 67_000_030_000_000], pa.int64()),
        "ask_price": pa.array([67_000_040_000_000, 67_000_050_000_000, 67_000_060_000_000], pa.int64()),
        "bid_size": pa.array([1_000_000, 2_000_000_000, 3_000_000_000], pa.uint64()),
        "ask_size": pa.array([1_500_000_000, 2_500_000_000, 500_000_000], pa.uint64()),
    },
    "quotes-whole-numbers",
)
nautilus(
    {name: fixed(["1", "2", "3"], 9, 8) for name in ["open", "high", "low", "close", "volume"]},
    "bars",
    bar_type="BTCUSDT.BINANCE-1-MINUTE-LAST-EXTERNAL",
)
decimals = pa.decimal128(38, 16)
pq.write_table(
    pa.table(
        {
            "bid_price": pa.array([Decimal("67000.01"), None], decimals),
            "ask_price": pa.array([Decimal("67000.03"), Decimal("67000.04")], decimals),
            "bid_size": pa.array([Decimal("0.001"), None], decimals),
            "ask_size": pa.array([Decimal("1.5"), Decimal("2")], decimals),
            "ts_event": pa.array([START, START + STEP], pa.timestamp("ns", tz="UTC")),
            "ts_init": pa.array([START + 1000, START + STEP + 1000], pa.timestamp("ns", tz="UTC")),
            "identifier": pa.array(["BTCUSDT.BINANCE", "ETHUSDT.BINANCE"]),
        },
        metadata={"type_name": "quotes", "price_precision": "2", "size_precision": "3"},
    ),
    "nautilus-quotes-decimals.parquet",
)

# Trades by pandas: doubles, times without a zone, symbols as a category.
trades = pd.DataFrame(
    {
        "timestamp": pd.to_datetime([START + i * STEP for i in range(4)]),
        "symbol": pd.Categorical(["BTC-USD", "ETH-USD", "BTC-USD", "BTC-USD"]),
        "side": ["buy", "sell", "sell", "buy"],
        "price": [67000.01, 3800.5, 67000.1 + 0.2, 1580.7870000000003],
        "amount": [0.001, 2.0, 1e-8, 3.25],
    }
)
trades.to_parquet("pandas-trades.parquet")
# The time as the index, kept in a column of its own.
trades.set_index("timestamp").to_parquet("pandas-index.parquet", compression="gzip")

# Quotes by polars: UTC in microseconds, decimals, nulls where a side is absent.
pl.DataFrame(
    {
        "ts": [datetime(2024, 6, 1, 9, 0, 0, 123456, tzinfo=timezone.utc), datetime(2024, 6, 1, 9, 0, 1, tzinfo=timezone.utc)],
        "sym": ["EURUSD", "EURUSD"],
        "bid": [Decimal("1.08431"), None],
        "bid_size": [1_000_000, None],
        "ask": [Decimal("1.08434"), Decimal("1.08435")],
        "ask_size": [2_000_000, 1_500_000],
    },
    schema={
        "ts": pl.Datetime("us", "UTC"),
        "sym": pl.Categorical,
        "bid": pl.Decimal(12, 5),
        "bid_size": pl.Int64,
        "ask": pl.Decimal(12, 5),
        "ask_size": pl.Int64,
    },
).write_parquet("polars-quotes.parquet")

# As Spark writes it: times of 96 bits, decimals within integers, several row groups.
pq.write_table(
    pa.table(
        {
            "event_time": pa.array([START + i * STEP for i in range(5)], pa.timestamp("ns")),
            "ticker": pa.array(["AAPL"] * 5),
            "price": pa.array([Decimal(n) / 100 for n in [18901, 18902, 18900, 18899, 18903]], pa.decimal128(9, 2)),
            "size": pa.array([100, 200, 300, 400, 500], pa.int32()),
        }
    ),
    "spark-trades.parquet",
    use_deprecated_int96_timestamps=True,
    store_decimal_as_integer=True,
    compression="snappy",
    row_group_size=2,
)

# The day and the time of day in two columns.
pq.write_table(
    pa.table(
        {
            "date": pa.array([date(2024, 6, 3)] * 3, pa.date32()),
            "time": pa.array([time(9, 30, 0, 1000 * i) for i in range(3)], pa.time64("us")),
            "symbol": pa.array(["MSFT"] * 3),
            "price": pa.array([415.01, 415.02, 415.03], pa.float32()),
            "volume": pa.array([100, 200, 300], pa.uint32()),
        }
    ),
    "date-and-time.parquet",
    compression="lz4",
    version="2.6",
    data_page_version="2.0",
)

# Lists and groups of columns: book levels, which are no field of a line.
pq.write_table(
    pa.table(
        {
            "ts": pa.array([START], pa.timestamp("ns", tz="UTC")),
            "symbol": pa.array(["BTC-USD"]),
            "bids": pa.array([[[67000.0, 1.0], [66999.0, 2.0]]], pa.list_(pa.list_(pa.float64()))),
            "trade": pa.array([{"price": 67000.0, "size": 1.0}]),
        }
    ),
    "nested.parquet",
)
