// Signals on a candle chart. Beside each other they would cover each other: of one strategy and side, those that are nearer than
// a mark is wide become one mark with their number, which comes apart as one zooms in.

import type {
  IChartApiBase, IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesApi, ISeriesPrimitive, Logical, PrimitiveHoveredItem,
  SeriesAttachedParameter, Time,
} from "lightweight-charts";
import { markOf, trace, type Mark } from "./marks";
import type { ChartTheme } from "./theme";

/** What is drawn of a signal. */
export interface ChartSignal {
  run: string;
  strategy: string;
  shard: number;
  seq: number;
  n: number;
  side: string;
  /** Receive time in ms. */
  atMs: number;
  price: number;
}

/** A bar of the chart, by which marks find their place. */
export interface Bar {
  /** Its start in seconds. */
  time: number;
  low: number;
  high: number;
}

/** What is drawn at one place. */
interface Cluster {
  signals: ChartSignal[];
  mark: Mark;
  side: string;
  x: number;
  y: number;
  radius: number;
}

const RADIUS = 5.5;
/** Marks of one strategy and side that are nearer than this become one. */
const NEAR = 19;
/** Marks stand so far from the candle, and from those of another strategy, whose numbers have their place between. */
const GAP = 11;
const ROW = 24;
/** A finger is wider than a mark. */
const REACH = 5;

/** Names a signal among all. */
export function keyOf(signal: { run: string; strategy: string; shard: number; seq: number; n: number }): string {
  return `${signal.run}/${signal.strategy}/${signal.shard}/${signal.seq}/${signal.n}`;
}

/** A chart keeps so many signals; of more the oldest quarter goes. */
const MOST_SIGNALS = 40_000;

/** Lets go of the oldest where there are too many. */
export function keepLatest(signals: Map<string, { readonly atMs: number }>): void {
  if (signals.size <= MOST_SIGNALS) return;
  const byTime = [...signals].sort(([, one], [, other]) => one.atMs - other.atMs);
  for (const [key] of byTime.slice(0, MOST_SIGNALS / 4)) signals.delete(key);
}

export class SignalMarks implements ISeriesPrimitive<Time> {
  private chart: IChartApiBase<Time> | undefined;
  private series: ISeriesApi<"Candlestick", Time> | undefined;
  private requestUpdate: () => void = () => {};
  private signals: ChartSignal[] = [];
  private clusters: Cluster[] = [];
  private hidden: ReadonlySet<string> = new Set();
  private selected = "";
  private readonly views: readonly IPrimitivePaneView[];

  constructor(private readonly bars: () => readonly Bar[], private theme: ChartTheme) {
    const renderer: IPrimitivePaneRenderer = {
      draw: (target) => target.useMediaCoordinateSpace(({ context }) => this.draw(context)),
    };
    this.views = [{ zOrder: () => "top", renderer: () => renderer }];
  }

  attached(parameters: SeriesAttachedParameter<Time>): void {
    this.chart = parameters.chart;
    this.series = parameters.series as ISeriesApi<"Candlestick", Time>;
    this.requestUpdate = parameters.requestUpdate;
  }

  detached(): void {
    this.chart = undefined;
    this.series = undefined;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  /** All signals anew, in any order. */
  set(signals: readonly ChartSignal[]): void {
    this.signals = [...signals].sort((one, other) => one.atMs - other.atMs);
    this.requestUpdate();
  }

  /** Strategies that are not drawn. */
  hide(strategies: ReadonlySet<string>): void {
    this.hidden = strategies;
    this.requestUpdate();
  }

  /** The signal that a ring is drawn around; none for an empty key. */
  select(key: string): void {
    this.selected = key;
    this.requestUpdate();
  }

  /** Other colours. */
  retheme(theme: ChartTheme): void {
    this.theme = theme;
    this.requestUpdate();
  }

  /** The signals of the mark that a hit was reported of. */
  signalsOf(externalId: unknown): ChartSignal[] {
    const place = typeof externalId === "string" && externalId.startsWith("signals:") ? Number(externalId.slice(8)) : -1;
    return this.clusters[place]?.signals ?? [];
  }

  updateAllViews(): void {
    this.clusters = this.place();
  }

  hitTest(x: number, y: number): PrimitiveHoveredItem | null {
    let best = -1;
    let nearest = Infinity;
    this.clusters.forEach((cluster, place) => {
      const distance = Math.hypot(cluster.x - x, cluster.y - y);
      if (distance <= cluster.radius + REACH && distance < nearest) {
        nearest = distance;
        best = place;
      }
    });
    if (best < 0) return null;
    return { cursorStyle: "pointer", externalId: `signals:${best}`, zOrder: "top", distance: nearest, hitTestPriority: 2 };
  }

  private place(): Cluster[] {
    const range = this.chart?.timeScale().getVisibleLogicalRange();
    const bars = this.bars();
    if (!range || bars.length === 0) return [];
    const first = Math.max(0, Math.floor(range.from) - 1);
    const last = Math.min(bars.length - 1, Math.ceil(range.to) + 1);
    const rows = this.rows();
    const open = new Map<string, Cluster>();
    const clusters: Cluster[] = [];
    let place = lowerBound(this.signals, (bars[first]?.time ?? Infinity) * 1000);
    for (let bar = first; bar <= last; bar++) {
      const untilMs = (bars[bar + 1]?.time ?? Infinity) * 1000;
      for (let signal = this.signals[place]; signal && signal.atMs < untilMs; signal = this.signals[++place]) {
        const at = this.coordinates(signal, bar, rows.get(signal.strategy));
        if (!at) continue;
        const kind = `${signal.strategy}\n${signal.side}`;
        const near = open.get(kind);
        if (near && at.x - near.x < NEAR) {
          near.signals.push(signal);
          near.y = signal.side === "sell" ? Math.min(near.y, at.y) : Math.max(near.y, at.y);
          continue;
        }
        const cluster = { signals: [signal], mark: markOf(signal.strategy), side: signal.side, ...at, radius: RADIUS };
        open.set(kind, cluster);
        clusters.push(cluster);
      }
    }
    return clusters;
  }

  /** Where a signal of a bar is drawn: below it, or above it where it sells. None where its strategy is hidden. */
  private coordinates(signal: ChartSignal, bar: number, row: number | undefined): { x: number; y: number } | undefined {
    const candle = this.bars()[bar];
    if (!this.chart || !this.series || !candle || row === undefined) return undefined;
    const isAbove = signal.side === "sell";
    const x = this.chart.timeScale().logicalToCoordinate(bar as unknown as Logical);
    const edge = this.series.priceToCoordinate(isAbove ? candle.high : candle.low);
    if (x === null || edge === null) return undefined;
    const distance = GAP + row * ROW;
    return { x, y: isAbove ? edge - distance : edge + distance };
  }

  /** Strategies that are drawn, each with a row of its own. */
  private rows(): Map<string, number> {
    const names = [...new Set(this.signals.map((signal) => signal.strategy))].filter((name) => !this.hidden.has(name));
    return new Map(names.sort().map((name, row) => [name, row]));
  }

  private draw(context: CanvasRenderingContext2D): void {
    context.save();
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const cluster of this.clusters) {
      const colour = this.theme.series[cluster.mark.colour] ?? this.theme.text;
      // A ring of the ground around each keeps marks apart from candles that they cover.
      trace(context, cluster.mark.shape, cluster.x, cluster.y, cluster.radius);
      context.lineJoin = "round";
      context.lineWidth = 4;
      context.strokeStyle = this.theme.surface;
      context.stroke();
      context.fillStyle = cluster.side === "buy" ? colour : this.theme.surface;
      context.fill();
      context.lineWidth = 1.75;
      context.strokeStyle = colour;
      context.stroke();
      if (cluster.side === "flat") {
        context.beginPath();
        context.moveTo(cluster.x - cluster.radius, cluster.y);
        context.lineTo(cluster.x + cluster.radius, cluster.y);
        context.stroke();
      }
      if (cluster.signals.length > 1) this.number(context, cluster, colour);
      if (this.selected && cluster.signals.some((signal) => keyOf(signal) === this.selected)) {
        context.beginPath();
        context.arc(cluster.x, cluster.y, cluster.radius + 5, 0, 2 * Math.PI);
        context.lineWidth = 2;
        context.strokeStyle = this.theme.text;
        context.stroke();
      }
    }
    context.restore();
  }

  /** How many signals a mark stands for, on its outer side. */
  private number(context: CanvasRenderingContext2D, cluster: Cluster, colour: string): void {
    const text = cluster.signals.length > 999 ? "999+" : String(cluster.signals.length);
    const y = cluster.side === "sell" ? cluster.y - 12 : cluster.y + 12;
    context.font = `600 9px ${this.theme.font}`;
    context.lineWidth = 3;
    context.strokeStyle = this.theme.surface;
    context.strokeText(text, cluster.x, y);
    context.fillStyle = colour;
    context.fillText(text, cluster.x, y);
  }
}

/** The first signal at or after a time. */
function lowerBound(signals: readonly ChartSignal[], atMs: number): number {
  let low = 0;
  let high = signals.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((signals[middle]?.atMs ?? Infinity) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
