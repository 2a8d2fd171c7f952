"""Apple in nautilus_trader: a Strategy for each instrument, over its BacktestEngine.

Its data are objects: a TradeTick for each trade, and a QuoteTick for each source quote, which is a bid
and an ask tick of ours.
"""

import argparse
import gc
import json
import time

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import QuoteTick, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import FIXED_PRECISION, Money, Price, Quantity
from nautilus_trader.risk.config import RiskEngineConfig
from nautilus_trader.trading.strategy import Strategy

import ticks

VENUE = Venue("SIM")
# How many of the library's units are one of ours, 1e-9.
UNITS = 10 ** (FIXED_PRECISION - 9)
FAST, SLOW = 2.0 / (12 + 1.0), 2.0 / (26 + 1.0)


class Apple(Strategy):
    """One instrument's averages."""

    def __init__(self, instrument_id: InstrumentId, index: int, signals: list) -> None:
        super().__init__()
        self.instrument_id = instrument_id
        self.index = index
        self.signals = signals
        self.started = False
        self.fast = 0.0
        self.slow = 0.0
        self.trend = 0

    def on_start(self) -> None:
        """Asks for all that our strategies see, too."""
        self.subscribe_quote_ticks(self.instrument_id)
        self.subscribe_trade_ticks(self.instrument_id)

    def on_quote_tick(self, tick: QuoteTick) -> None:
        """Apple does not look at quotes."""

    def on_trade_tick(self, tick: TradeTick) -> None:
        """The specification to the letter; `Price.as_double` would be another float."""
        raw = tick.price.raw // UNITS
        price = raw * 1e-9
        if not self.started:
            self.fast, self.slow, self.started = price, price, True
            return
        self.fast = fast = self.fast + FAST * (price - self.fast)
        self.slow = slow = self.slow + SLOW * (price - self.slow)
        trend = (fast > slow) - (fast < slow)
        if trend != 0 and trend != self.trend:
            if self.trend != 0:
                self.signals.append((self.index, tick.ts_event, trend, raw))
            self.trend = trend


def decimals(raw: np.ndarray) -> int:
    """How many decimals the values need."""
    for count in range(9):
        if not np.any(raw % 10 ** (9 - count)):
            return count
    return 9


def instrument(index: int, price_decimals: int, size_decimals: int) -> CurrencyPair:
    """What the exchange of the backtest has to know."""
    symbol = Symbol(f"I{index}")
    return CurrencyPair(
        instrument_id=InstrumentId(symbol, VENUE),
        raw_symbol=symbol,
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=price_decimals,
        size_precision=size_decimals,
        price_increment=Price(10.0**-price_decimals, price_decimals),
        size_increment=Quantity(10.0**-size_decimals, size_decimals),
        ts_event=0,
        ts_init=0,
    )


def trades(read: ticks.Ticks, of: np.ndarray, pair: CurrencyPair) -> list[TradeTick]:
    """One instrument's trades."""
    of = of & (read.kind == ticks.TRADE)
    count = int(np.count_nonzero(of))
    return TradeTick.from_raw_arrays_to_list(
        pair.id,
        pair.price_precision,
        pair.size_precision,
        read.price[of] * 1e-9,
        np.maximum(read.size[of] * 1e-9, float(pair.size_increment)),
        np.full(count, AggressorSide.NO_AGGRESSOR.value, np.uint8),
        ["1"] * count,
        read.ts_event[of].astype(np.uint64),
        read.ts_recv[of].astype(np.uint64),
    )


def quotes(read: ticks.Ticks, of: np.ndarray, pair: CurrencyPair) -> list[QuoteTick]:
    """One instrument's quotes: at the end of each event, both sides as they are then."""
    chosen = np.flatnonzero(of & (read.kind != ticks.TRADE) & (read.price != ticks.UNDEFINED))
    sides = {}
    for side in (ticks.BID, ticks.ASK):
        # For each tick, the latest one of this side up to it; -1 before the first.
        at = np.where(read.kind[chosen] == side, np.arange(len(chosen)), -1)
        sides[side] = np.maximum.accumulate(at) if len(at) else at
    ends = read.last[chosen] & (sides[ticks.BID] >= 0) & (sides[ticks.ASK] >= 0)
    bid, ask = chosen[sides[ticks.BID][ends]], chosen[sides[ticks.ASK][ends]]
    when = chosen[ends]
    return QuoteTick.from_raw_arrays_to_list(
        pair.id,
        pair.price_precision,
        pair.size_precision,
        read.price[bid] * 1e-9,
        read.price[ask] * 1e-9,
        read.size[bid] * 1e-9,
        read.size[ask] * 1e-9,
        read.ts_event[when].astype(np.uint64),
        read.ts_recv[when].astype(np.uint64),
    )


def prepare(read: ticks.Ticks, signals: list) -> BacktestEngine:
    """An engine with everything that costs time and is not the run switched off."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=True),
            run_analysis=False,
        )
    )
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        starting_balances=[Money(1_000_000, USDT)],
        bar_execution=False,
    )
    defined = read.price[read.price != ticks.UNDEFINED]
    price_decimals, size_decimals = decimals(defined), decimals(read.size)
    everything = []
    for index in range(len(read.symbols)):
        pair = instrument(index, price_decimals, size_decimals)
        engine.add_instrument(pair)
        engine.add_strategy(Apple(pair.id, index, signals))
        of = read.instrument == index
        everything += [data for data in (quotes(read, of, pair), trades(read, of, pair)) if data]
    for data in everything:
        # The engine sorts all that it has; once is enough.
        engine.add_data(data, sort=data is everything[-1])
    return engine


def main() -> None:
    """Reading and making objects does not count."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", required=True)
    parser.add_argument("--signals", required=True)
    options = parser.parse_args()
    read = ticks.read(options.ticks)
    signals: list = []
    engine = prepare(read, signals)
    # Nothing here becomes garbage that the collector would have to look for.
    gc.collect()
    gc.freeze()
    gc.disable()
    began = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - began
    ticks.write_signals(options.signals, read.symbols, signals)
    print(json.dumps({"seconds": seconds, "ticks": len(read), "signals": len(signals)}))


main()
