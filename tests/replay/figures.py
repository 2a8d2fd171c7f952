"""Computes every figure of `FIGURES.md` once more, by other means, and compares.

    figures.py TICKS.csv SIGNALS.csv TRADES.csv SUMMARY.json signal|cross SLIPPAGE_BP FEE_BP

TICKS.csv is `orchard convert` of what was replayed on one shard; the others are what `orchard replay` wrote. Nothing is
taken from the trades or the summary: ticks give prices, signals give positions, and the account is kept as cash and
units. Differences are printed, and end it with 1. Needs nothing but Python.
"""

import bisect
import csv
import itertools
import json
import math
import statistics
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction

UNIT = 10**9
SECOND = 10**9
HOUR = 3600 * SECOND
DAY = 24 * HOUR
STRETCHES = [n * SECOND for n in (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400, 43200, 86400, 604800)]


def raw(text):
    """Money in 1e-9, exactly; None where a price is undefined."""
    value = int(Decimal(text) * UNIT)
    return None if value == 2**63 - 1 else value


def nearest(value):
    """A fraction as a whole number, halves away from zero."""
    sign = -1 if value < 0 else 1
    return sign * math.floor(abs(value) + Fraction(1, 2))


class Market:
    """The last price of each stretch of the recorder: a grid of powers of two with at most 512 places."""

    def __init__(self, path):
        self.ticks = []
        self.books = []
        prices = defaultdict(list)
        last_seen = {}
        book = defaultdict(lambda: [None, None])
        quoted = set()
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                at, symbol, kind = int(row["ts_recv"]), row["symbol"], row["kind"]
                price = raw(row["price"]) if row["price"] else None
                sides = book[symbol]
                if kind in ("bid", "ask"):
                    sides[kind == "ask"] = price
                    if int(row["flags"]) & 1 and None not in sides:
                        quoted.add(symbol)
                        prices[symbol].append((at, sum(sides) // 2))
                elif symbol not in quoted and price is not None:
                    prices[symbol].append((at, price))
                self.ticks.append((at, symbol))
                self.books.append(tuple(sides))
                last_seen[symbol] = at
        self.first, self.last = self.ticks[0][0], self.ticks[-1][0]
        self.marks = []
        for symbol, series in sorted(prices.items()):
            shift = 20
            while (last_seen[symbol] >> shift) - (series[0][0] >> shift) >= 512:
                shift += 1
            ends = {at >> shift: price for at, price in series}
            for place, price in ends.items():
                end = min(((place + 1) << shift) - 1, max(last_seen[symbol], place << shift))
                self.marks.append((end, symbol, price))
        self.marks.sort(key=lambda mark: mark[:2])


class Account:
    """Cash and units of one strategy, of one instrument or of all."""

    def __init__(self):
        self.moments = {}
        self.fills = []
        self.trips = []
        self.held = []
        self.notional = 0
        self.traded = False
        self.fees = 0
        self.signals = 0


def play(market, signals, fill, slippage, fee):
    """One account for each strategy and instrument, and one for each strategy under None."""
    accounts = defaultdict(Account)
    state = {}
    cash = defaultdict(int)
    units = defaultdict(int)
    marks = {}
    opened = {}
    value = defaultdict(int)
    equity = defaultdict(int)

    def revalue(key, at):
        new = cash[key] + units[key] * marks.get(key, 0)
        strategy = key[0]
        equity[strategy] += new - value[key]
        value[key] = new
        for account, now in ((accounts[key], new), (accounts[strategy, None], equity[strategy])):
            account.moments[at] = now

    def mark(at, symbol, price):
        for key in [key for key in units if key[1] == symbol and units[key]]:
            marks[key] = price
            revalue(key, at)

    due = 0
    for row in signals:
        at, symbol = market.ticks[int(row["seq"])]
        assert symbol == row["instrument"], "a signal's seq is not its tick's place"
        while due < len(market.marks) and market.marks[due][0] < at:
            mark(*market.marks[due])
            due += 1
        key = (row["strategy"], symbol)
        both = (accounts[key], accounts[key[0], None])
        for account in both:
            account.signals += 1
        wanted = {"buy": 1, "flat": 0, "sell": -1}[row["side"]]
        own = raw(row["price"])
        change = wanted - units[key]
        if change:
            other = market.books[int(row["seq"])][change > 0]
            base = other if fill == "cross" and other is not None else own
            sign = 1 if change > 0 else -1
            paid = base + sign * nearest(abs(base) * slippage / 10000)
            cost = nearest(abs(paid) * fee / 10000)
            notional = 0 if accounts[key].traded else abs(base)
            for account in both:
                account.notional += notional
                account.traded = True
            for _ in range(abs(change)):
                cash[key] -= sign * paid + cost
                for account in both:
                    account.fees += cost
                    account.fills.append((at, abs(paid), cost))
                if units[key]:
                    since, entry, entry_cost = opened.pop(key)
                    fees = entry_cost + cost
                    profit = units[key] * (paid - entry) - fees
                    side = "buy" if units[key] > 0 else "sell"
                    trip = (row["strategy"], symbol, side, since, at, entry, paid, fees, profit)
                    for account in both:
                        account.trips.append(trip)
                        account.held.append((since, at))
                    units[key] += sign
                else:
                    units[key] += sign
                    opened[key] = (at, paid, cost)
            marks[key] = own if own is not None else base
        elif own is not None:
            marks[key] = own
        revalue(key, at)
    for left in market.marks[due:]:
        mark(*left)
    for key, (since, _, _) in opened.items():
        for account in (accounts[key], accounts[key[0], None]):
            account.held.append((since, market.last))
    for key, account in accounts.items():
        own = [other for other in accounts if other[0] == key[0] and other[1] is not None]
        account.instruments = 1 if key[1] is not None else len(own)
        account.open = sum(
            units[other] * (marks[other] - opened[other][1])
            for other in own
            if other in opened and key[1] in (None, other[1])
        )
    return accounts


def overlap(spans, begin, end):
    return sum(max(0, min(end, to) - max(begin, since)) for since, to in spans)


def trade_figures(trips):
    profits = [trip[-1] for trip in trips]
    wins = [profit for profit in profits if profit > 0]
    losses = [-profit for profit in profits if profit < 0]
    mean = lambda values: nearest(Fraction(sum(values), len(values))) if values else None
    return {
        "trades": len(profits),
        "wins": len(wins),
        "losses": len(losses),
        "hit_rate": len(wins) / len(profits) if profits else None,
        "profit_factor": sum(wins) / sum(losses) if losses else None,
        "expectancy": mean(profits),
        "average_win": mean(wins),
        "average_loss": mean(losses),
        "largest_win": max(wins, default=None),
        "largest_loss": max(losses, default=None),
    }


def drawdown(market, moments):
    """The deepest of all pairs of a highest value and what followed it."""
    path = sorted(moments.items())
    if path[0][0] > market.first:
        path.insert(0, (market.first, 0))
    highs = list(itertools.accumulate((equity for _, equity in path), max, initial=0))[1:]
    depths = [high - equity for high, (_, equity) in zip(highs, path)]
    ends = [at for at, _ in path[1:]] + [market.last]
    under = sum(end - at for (at, _), depth, end in zip(path, depths, ends) if depth)
    deepest = max(depths)
    names = ["begin", "bottom", "recovered", "duration_ns", "recovery_ns"]
    if not deepest:
        return 0, under, dict.fromkeys(names)
    bottom = depths.index(deepest)
    at_high = [place for place in range(bottom) if not depths[place]]
    begin = path[at_high[-1]][0] if at_high else market.first
    again = [at for (at, _), depth in zip(path[bottom:], depths[bottom:]) if not depth]
    bottom = path[bottom][0]
    recovered = again[0] if again else None
    duration = (recovered or market.last) - begin
    recovery = recovered - bottom if recovered else None
    return deepest, under, dict(zip(names, [begin, bottom, recovered, duration, recovery]))


def stretch_of(first, last):
    return next(length for length in STRETCHES if last // length - first // length + 1 <= 256)


def ratios(market, moments):
    length = stretch_of(market.first, market.last)
    times = sorted(moments)
    ends = [0]
    stretches = range(market.first // length, market.last // length + 1)
    for stretch in stretches:
        place = bisect.bisect_left(times, (stretch + 1) * length)
        ends.append(moments[times[place - 1]] if place else 0)
    returns = [after - before for before, after in zip(ends, ends[1:])]
    year = math.sqrt(365 * DAY / length)
    sharpe = sortino = None
    if len(returns) > 1 and len(set(returns)) > 1:
        sharpe = float(statistics.mean(returns)) / statistics.stdev(returns) * year
    negative = [value for value in returns if value < 0]
    if len(returns) > 1 and negative:
        downside = math.sqrt(math.fsum(float(value) ** 2 for value in negative) / len(returns))
        sortino = float(statistics.mean(returns)) / downside * year
    return {
        "sharpe": sharpe,
        "sortino": sortino,
        "return_stretch_ns": length,
        "return_stretches": len(returns),
    }


def figures(market, account, stated):
    capital = stated if stated is not None else (account.notional if account.traded else None)
    percent = lambda amount: amount / capital * 100 if capital else None
    net = account.moments[max(account.moments)]
    depth, under, times = drawdown(market, account.moments)
    trips = account.trips
    turnover = sum(price for _, price, _ in account.fills)
    span = market.last - market.first
    return {
        "signals": account.signals,
        "realised": sum(trip[-1] + trip[-2] for trip in trips),
        "open": account.open,
        "fees": account.fees,
        "equity": net,
        "net_profit": net,
        "net_profit_percent": percent(net),
        "max_drawdown": depth,
        "max_drawdown_percent": percent(depth),
        **{f"drawdown_{name}": value for name, value in times.items()},
        "under_water_ns": under,
        "under_water": under / span,
        "exposure": overlap(account.held, market.first, market.last) / span / account.instruments,
        "capital": capital,
        "capital_basis": ("stated" if stated is not None else "notional") if capital else None,
        "gross_profit": sum(trip[-1] for trip in trips if trip[-1] > 0),
        "gross_loss": -sum(trip[-1] for trip in trips if trip[-1] < 0),
        "turnover": turnover,
        "turnover_ratio": turnover / capital if capital else None,
        **trade_figures(trips),
        **ratios(market, account.moments),
    }


def period(account, capital, is_within, spans):
    path = sorted(account.moments.items())
    before = [0] + [equity for _, equity in path]
    net = sum(equity - last for (at, equity), last in zip(path, before) if is_within(at))
    fills = [fill for fill in account.fills if is_within(fill[0])]
    return {
        "net_profit": net,
        "net_profit_percent": net / capital * 100 if capital else None,
        **trade_figures([trip for trip in account.trips if is_within(trip[4])]),
        "turnover": sum(price for _, price, _ in fills),
        "fees": sum(fee for _, _, fee in fills),
        "held_ns": sum(overlap(account.held, begin, end) for begin, end in spans),
    }


def distribution(trips):
    profits = [trip[-1] for trip in trips]
    if not profits:
        return {"width": None, "bins": []}
    widths = (power * factor for power in (10**n for n in range(60)) for factor in (1, 5))
    reach = lambda width: max(0, max(profits) // width) - min(0, min(profits) // width) + 1
    width = next(width for width in widths if reach(width) <= 64)
    bins = Counter(profit // width * width for profit in profits)
    return {"width": width, "bins": [{"from": low, "trades": bins[low]} for low in sorted(bins)]}


class Comparison:
    def __init__(self):
        self.compared = 0
        self.differences = []

    def equal(self, where, expected, found):
        """Money and counts exactly, ratios to a part in a thousand million."""
        if isinstance(expected, dict):
            for name in expected:
                self.equal(f"{where}.{name}", expected[name], found.get(name, "absent"))
            return
        if isinstance(expected, list):
            self.equal(f"{where} (length)", len(expected), len(found))
            for place, (ours, theirs) in enumerate(zip(expected, found)):
                self.equal(f"{where}[{place}]", ours, theirs)
            return
        self.compared += 1
        if isinstance(expected, float):
            same = isinstance(found, (int, float)) and math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-12)
        elif isinstance(expected, int) and isinstance(found, str):
            same = raw(found) == expected
        else:
            same = expected == found
        if not same:
            self.differences.append(f"{where}: expected {expected}, found {found}")


def curves(comparison, where, market, account, found):
    """A curve has at most 2,000 points, each of them true, and with every extreme of the path."""
    path = dict(account.moments)
    path.setdefault(market.last, path[max(path)])
    times = sorted(path)
    highs = list(itertools.accumulate((path[at] for at in times), max, initial=0))[1:]
    depths = {at: high - path[at] for at, high in zip(times, highs)}
    for name, truth in (("equity", path), ("drawdown", depths)):
        points = found[name]
        comparison.equal(f"{where}.{name} is bounded", True, len(points) <= 2000)
        for at, value in points:
            comparison.equal(f"{where}.{name} at {at}", truth.get(at), value)
        kept = [raw(value) for _, value in points]
        comparison.equal(f"{where}.{name} extremes", [min(truth.values()), max(truth.values())], [
            min(kept), max(kept)])
        comparison.equal(f"{where}.{name} end", market.last, points[-1][0])
    length = stretch_of(market.first, market.last)
    expected = []
    for stretch in range(market.first // length, market.last // length + 1):
        begin, end = stretch * length, (stretch + 1) * length
        held = overlap(account.held, begin, end)
        within = (min(end, market.last) - max(begin, market.first)) * account.instruments
        expected.append([begin, held, held / within if within else 0.0])
    comparison.equal(f"{where}.exposure", expected, found["exposure"])


def main():
    ticks, signals, trades, summary, fill, slippage, fee = sys.argv[1:]
    market = Market(ticks)
    with open(signals, newline="") as file:
        rows = list(csv.DictReader(file))
    accounts = play(market, rows, fill, Fraction(slippage), Fraction(fee))
    with open(summary) as file:
        summary = json.load(file)
    comparison = Comparison()
    all_trips = []
    for found in summary["strategies"]:
        name = found["strategy"]
        account = accounts[name, None]
        stated = raw(found["capital"]) if found["capital_basis"] == "stated" else None
        expected = figures(market, account, stated)
        comparison.equal(name, expected, found)
        for one in found["instruments"]:
            own = accounts[name, one["instrument"]]
            comparison.equal(f"{name} {one['instrument']}", figures(market, own, stated), one)
        days = range(market.first // DAY, market.last // DAY + 1)
        by_day = [
            {"start_ns": day * DAY, "days": 1}
            | period(account, expected["capital"], lambda at: at // DAY == day, [(day * DAY, (day + 1) * DAY)])
            for day in days
        ]
        comparison.equal(f"{name} by day", by_day, found["days"])
        by_hour = [
            {"hour": hour}
            | period(
                account,
                expected["capital"],
                lambda at: at // HOUR % 24 == hour,
                [(day * DAY + hour * HOUR, day * DAY + (hour + 1) * HOUR) for day in days],
            )
            for hour in range(24)
        ]
        comparison.equal(f"{name} by hour", by_hour, found["hours"])
        comparison.equal(f"{name} results", distribution(account.trips), found["results"])
        curves(comparison, f"{name} curves", market, account, found["curves"])
        all_trips.extend(account.trips)
    with open(trades, newline="") as file:
        written = [tuple(row.values())[1:] for row in csv.DictReader(file)]
    expected = sorted([tuple(trip[:3]), *trip[3:]] for trip in all_trips)
    found = sorted([tuple(row[:3]), *map(int, row[3:5]), *map(raw, row[5:])] for row in written)
    comparison.equal("trades", [list(trip[0]) + trip[1:] for trip in expected], [
        list(trip[0]) + trip[1:] for trip in found])
    closings = [int(row[4]) for row in written]
    comparison.equal("trades are in order of closing", True, closings == sorted(closings))
    for difference in comparison.differences[:20]:
        print(difference)
    print(f"{comparison.compared} figures compared, {len(comparison.differences)} differ")
    sys.exit(1 if comparison.differences or comparison.compared < 200 else 0)


if __name__ == "__main__":
    main()
