// The market chart: candles, what was traded, and signals. Whatever comes between two frames is drawn once.

import {
  CandlestickSeries, ColorType, createChart, HistogramSeries, type CandlestickData, type HistogramData, type IChartApi,
  type ISeriesApi, type UTCTimestamp,
} from "lightweight-charts";
import type { CandleState } from "../payloads";
import { decimals, toNumber } from "./decimal";
import { keepLatest, keyOf, SignalMarks, type Bar, type ChartSignal } from "./signal-marks";
import { onThemeChange, readTheme, type ChartTheme } from "./theme";

/** What the chart says to the page. */
export interface CandleEvents {
  /** A mark was clicked: the signals that it stands for. */
  signals(signals: ChartSignal[]): void;
  /** The candle under the pointer; none beside the candles. */
  hover(candle: CandleState | undefined): void;
}

/** A candle with its prices as numbers. */
interface CandleBar extends Bar {
  state: CandleState;
}

/** At most so many candles are kept. */
const MOST_BARS = 5_000;

export class CandleChart {
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly volumes: ISeriesApi<"Histogram">;
  private readonly marks: SignalMarks;
  private readonly stopTheme: () => void;
  private theme: ChartTheme = readTheme();
  private bars: CandleBar[] = [];
  private waiting = new Map<number, CandleState>();
  private signals = new Map<string, ChartSignal>();
  private haveSignalsChanged = false;
  private precision = -1;
  private frame = 0;
  private wantedMs: number | undefined;

  constructor(element: HTMLElement, private readonly events: CandleEvents) {
    this.chart = createChart(element, { autoSize: true, ...this.look() });
    this.candles = this.chart.addSeries(CandlestickSeries, this.candleLook());
    this.volumes = this.chart.addSeries(HistogramSeries, {
      priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    this.candles.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
    this.marks = new SignalMarks(() => this.bars, this.theme);
    this.candles.attachPrimitive(this.marks);
    this.chart.subscribeClick(({ hoveredInfo }) => {
      const hit = this.marks.signalsOf(hoveredInfo?.objectId);
      if (hit.length > 0) this.events.signals(hit);
    });
    this.chart.subscribeCrosshairMove(({ time }) => {
      this.events.hover(time === undefined ? undefined : this.bars[this.placeOf(Number(time))]?.state);
    });
    this.stopTheme = onThemeChange(() => this.retheme());
  }

  /** Candles of another instrument or interval come from now on. */
  clear(): void {
    this.bars = [];
    this.waiting.clear();
    this.signals.clear();
    this.haveSignalsChanged = true;
    this.precision = -1;
    this.candles.setData([]);
    this.volumes.setData([]);
    this.draw();
  }

  /** Candles that are new or have changed; of a start the last counts. */
  add(candles: readonly CandleState[]): void {
    for (const candle of candles) this.waiting.set(candle.startMs, candle);
    this.draw();
  }

  /** Signals of this instrument; the same one again changes nothing. */
  addSignals(signals: readonly ChartSignal[]): void {
    for (const signal of signals) {
      const key = keyOf(signal);
      if (this.signals.has(key)) continue;
      this.signals.set(key, signal);
      this.haveSignalsChanged = true;
    }
    keepLatest(this.signals);
    if (this.haveSignalsChanged) this.draw();
  }

  /** Strategies whose marks are hidden. */
  hide(strategies: ReadonlySet<string>): void {
    this.marks.hide(strategies);
  }

  /** Draws a ring around a signal. */
  select(key: string): void {
    this.marks.select(key);
  }

  /** Brings a time into view, at once or when its candles come. */
  showTime(atMs: number): void {
    this.wantedMs = atMs;
    this.draw();
  }

  /** Everything that there is. */
  fit(): void {
    this.chart.timeScale().fitContent();
  }

  /** The newest candle at the right edge. */
  toNewest(): void {
    this.chart.timeScale().scrollToRealTime();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.stopTheme();
    this.chart.remove();
  }

  private draw(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.applyCandles();
      if (this.haveSignalsChanged) {
        this.haveSignalsChanged = false;
        this.marks.set([...this.signals.values()]);
      }
      this.applyWanted();
    });
  }

  private applyCandles(): void {
    if (this.waiting.size === 0) return;
    const came = [...this.waiting.values()].sort((one, other) => one.startMs - other.startMs);
    this.waiting.clear();
    this.adoptPrecision(came);
    const newest = this.bars.at(-1)?.state.startMs;
    const isTail = newest !== undefined && came.every((candle) => candle.startMs >= newest);
    if (!isTail || came.length > 50 || this.bars.length >= MOST_BARS) {
      this.replace(came, newest === undefined);
      return;
    }
    for (const candle of came) {
      const place = this.placeOf(candle.startMs / 1000);
      this.bars[place < 0 ? this.bars.length : place] = barOf(candle);
      this.candles.update(drawn(candle));
      this.volumes.update(this.volume(candle));
    }
  }

  /** Sets all data anew: what came, into what there is. */
  private replace(came: readonly CandleState[], isFirst: boolean): void {
    const all = new Map(this.bars.map(({ state }) => [state.startMs, state]));
    for (const candle of came) all.set(candle.startMs, candle);
    const inOrder = [...all.values()].sort((one, other) => one.startMs - other.startMs).slice(-MOST_BARS * 0.9);
    this.bars = inOrder.map(barOf);
    this.candles.setData(inOrder.map(drawn));
    this.volumes.setData(inOrder.map((candle) => this.volume(candle)));
    if (!isFirst) return;
    this.chart.timeScale().resetTimeScale();
    if (inOrder.length < 60) this.fit();
  }

  private applyWanted(): void {
    if (this.wantedMs === undefined) return;
    const wanted = this.wantedMs / 1000;
    const after = this.bars.findIndex(({ time }) => time > wanted);
    const place = (after < 0 ? this.bars.length : after) - 1;
    if (place < 0) return;
    this.wantedMs = undefined;
    const shown = this.chart.timeScale().getVisibleLogicalRange();
    const half = shown ? Math.max(20, (shown.to - shown.from) / 2) : 50;
    this.chart.timeScale().setVisibleLogicalRange({ from: place - half, to: place + half });
  }

  /** The place of the candle with this start in seconds; below 0 where there is none. */
  private placeOf(time: number): number {
    let low = 0;
    let high = this.bars.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.bars[middle]?.time ?? NaN;
      if (found === time) return middle;
      if (found < time) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private volume(candle: CandleState): HistogramData<UTCTimestamp> {
    const isUp = toNumber(candle.close) >= toNumber(candle.open);
    const colour = isUp ? this.theme.up : this.theme.down;
    return { time: (candle.startMs / 1000) as UTCTimestamp, value: toNumber(candle.volume), color: `${colour}66` };
  }

  /** As many digits as prices have. */
  private adoptPrecision(candles: readonly CandleState[]): void {
    let most = this.precision;
    for (const candle of candles) {
      most = Math.max(most, decimals(candle.open), decimals(candle.high), decimals(candle.low), decimals(candle.close));
    }
    if (most === this.precision) return;
    this.precision = most;
    this.candles.applyOptions({ priceFormat: { type: "price", precision: most, minMove: 1 / 10 ** most } });
  }

  private retheme(): void {
    this.theme = readTheme();
    this.chart.applyOptions(this.look());
    this.candles.applyOptions(this.candleLook());
    this.volumes.setData(this.bars.map(({ state }) => this.volume(state)));
    this.marks.retheme(this.theme);
  }

  private look() {
    const { text, surface, grid, faint, font } = this.theme;
    return {
      layout: {
        background: { type: ColorType.Solid, color: surface }, textColor: faint, fontFamily: font, fontSize: 11,
        // The page says whose chart it is, in words and with the link.
        attributionLogo: false,
      },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      rightPriceScale: { borderColor: grid },
      timeScale: { borderColor: grid, timeVisible: true, secondsVisible: true, rightOffset: 4, minBarSpacing: 0.5 },
      crosshair: { mode: 0, vertLine: { color: text, width: 1 as const, style: 3 }, horzLine: { color: text, width: 1 as const, style: 3 } },
      localization: { locale: "en-GB", dateFormat: "yyyy-MM-dd" },
      handleScale: { axisPressedMouseMove: true },
    };
  }

  private candleLook() {
    const { up, down, surface, text } = this.theme;
    // Rising candles are hollow: the direction shows without the colour, too.
    return {
      upColor: surface, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down,
      borderVisible: true, priceLineColor: text,
    };
  }
}

function barOf(state: CandleState): CandleBar {
  return { time: state.startMs / 1000, low: toNumber(state.low), high: toNumber(state.high), state };
}

function drawn(candle: CandleState): CandlestickData<UTCTimestamp> {
  return {
    time: (candle.startMs / 1000) as UTCTimestamp,
    open: toNumber(candle.open), high: toNumber(candle.high), low: toNumber(candle.low), close: toNumber(candle.close),
  };
}
