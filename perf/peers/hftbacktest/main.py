"""Apple in hftbacktest: one asset for each instrument, the strategy compiled by numba.

By default the strategy is asked after each feed event, as ours is after each tick. With --elapse it is
asked once in so much simulated time, as in the library's own examples, and then takes the trades of
that time together.
"""

import argparse
import json
import time

import numpy as np
from hftbacktest import (
    DEPTH_BBO_EVENT,
    LOCAL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

import ticks

# What wait_next_feed and elapse answer.
OK, END, FEED = 0, 1, 2
# Longer than any pause in a feed, in nanoseconds.
LONG = 10**17
# Trades that are kept between two looks; it grows when it must.
TRADES_KEPT = 1024


@njit
def apple(hbt, elapse, fast_period, slow_period, signals):
    """Fills `signals` with (asset, ts_event, 1 or -1, raw price); gives how many there are."""
    assets = hbt.num_assets
    a_fast, a_slow = 2.0 / (fast_period + 1.0), 2.0 / (slow_period + 1.0)
    fast, slow = np.zeros(assets), np.zeros(assets)
    started, trend = np.zeros(assets, np.bool_), np.zeros(assets, np.int64)
    count = 0
    while True:
        status = hbt.elapse(elapse) if elapse > 0 else hbt.wait_next_feed(False, LONG)
        for asset in range(assets):
            trades = hbt.last_trades(asset)
            if len(trades) == 0:
                continue
            for trade in trades:
                price = trade.px
                if not started[asset]:
                    fast[asset], slow[asset], started[asset] = price, price, True
                    continue
                fast[asset] += a_fast * (price - fast[asset])
                slow[asset] += a_slow * (price - slow[asset])
                difference = fast[asset] - slow[asset]
                now = np.int64(difference > 0.0) - np.int64(difference < 0.0)
                if now != 0 and now != trend[asset]:
                    if trend[asset] != 0:
                        signals[count, 0], signals[count, 1] = asset, trade.exch_ts
                        signals[count, 2], signals[count, 3] = now, trade.ival
                        count += 1
                    trend[asset] = now
            hbt.clear_last_trades(asset)
        if status != (OK if elapse > 0 else FEED):
            return count if status == END else -1


def events(read: ticks.Ticks, instrument: int) -> np.ndarray:
    """One instrument's feed. The raw price goes with the event, so that a signal has it exactly."""
    of = read.instrument == instrument
    made = np.zeros(np.count_nonzero(of), event_dtype)
    kind = np.where(read.kind[of] == ticks.TRADE, TRADE_EVENT, DEPTH_BBO_EVENT)
    # Local events only: nothing is ordered, so no exchange has to be played.
    made["ev"] = kind.astype(np.uint64) | np.uint64(LOCAL_EVENT)
    made["exch_ts"], made["local_ts"] = read.ts_event[of], read.ts_recv[of]
    made["px"] = read.price[of].astype(np.float64) * 1e-9
    made["qty"] = read.size[of].astype(np.float64) * 1e-9
    made["ival"] = read.price[of]
    return made


def asset(feed: np.ndarray) -> BacktestAsset:
    """Models that are never asked, as nothing is ordered."""
    return (
        BacktestAsset()
        .data(feed)
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(0.01)
        .lot_size(0.001)
        .last_trades_capacity(TRADES_KEPT)
    )


def run(feeds: list[np.ndarray], elapse: int, trades: int) -> tuple[float, np.ndarray]:
    """Gives seconds and signals."""
    backtest = HashMapMarketDepthBacktest([asset(feed) for feed in feeds])
    signals = np.zeros((max(trades, 1), 4), np.int64)
    began = time.perf_counter()
    count = apple(backtest, elapse, 12, 26, signals)
    seconds = time.perf_counter() - began
    backtest.close()
    if count < 0:
        ticks.stop("hftbacktest refused an event; are the times in order?")
    return seconds, signals[:count]


def main() -> None:
    """Reads and compiles first; neither counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", required=True)
    parser.add_argument("--signals", required=True)
    parser.add_argument("--elapse", type=int, default=0, help="nanoseconds between two looks; 0 is each event")
    options = parser.parse_args()
    read = ticks.read(options.ticks)
    feeds = [events(read, instrument) for instrument in range(len(read.symbols))]
    trades = int(np.count_nonzero(read.kind == ticks.TRADE))
    run([feed[:100] for feed in feeds], options.elapse, 100 * len(feeds))
    seconds, signals = run(feeds, options.elapse, trades)
    ticks.write_signals(options.signals, read.symbols, signals)
    print(json.dumps({"seconds": seconds, "ticks": len(read), "signals": len(signals)}))


main()
