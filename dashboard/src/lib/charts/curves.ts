// Values over time: equity, drawdown and exposure of strategies, on uPlot. Curves with the same group share pointer and zoom.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { onThemeChange, readTheme, type ChartTheme } from "./theme";

/** One line. */
export interface Curve {
  /** As the legend has it. */
  label: string;
  /** Its colour's place among the tokens of series. */
  colour: number;
  /** Dashes, so that lines differ without colours; none for a whole line. */
  dash?: number[];
  /** Times in seconds, ascending. */
  times: ArrayLike<number>;
  /** A value for each time. */
  values: ArrayLike<number>;
}

/** How curves are drawn. */
export interface CurveOptions {
  /** Charts of one group have the same pointer and the same part of time. */
  group: string;
  /** Height in CSS pixels. */
  height: number;
  /** What a value is shown as. */
  format(value: number): string;
  /** Values hold until the next one, rather than change evenly. */
  isStepped?: boolean;
  /** The ground between a line and zero is filled. */
  isFilled?: boolean;
  /** Zero is always in view. */
  withZero?: boolean;
  /** The values under the pointer, each with its label; none beside the chart. */
  hover?(at: number | undefined, values: { label: string; colour: number; value: number }[]): void;
}

/** The same for every chart, so that their times stand below each other. */
const AXIS_WIDTH = 72;

export class CurveChart {
  private plot: uPlot | undefined;
  private curves: readonly Curve[] = [];
  private theme: ChartTheme = readTheme();
  private frame = 0;
  private readonly observer: ResizeObserver;
  private readonly stopTheme: () => void;

  constructor(private readonly element: HTMLElement, private readonly options: CurveOptions) {
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(element);
    this.stopTheme = onThemeChange(() => {
      this.theme = readTheme();
      this.build();
    });
  }

  /** Draws these lines from the next frame on. */
  set(curves: readonly Curve[]): void {
    this.curves = curves;
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.build();
    });
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.stopTheme();
    this.plot?.destroy();
  }

  private fit(): void {
    const width = Math.floor(this.element.clientWidth);
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.options.height });
  }

  private build(): void {
    this.plot?.destroy();
    this.plot = undefined;
    this.element.replaceChildren();
    if (this.curves.length === 0) return;
    const tables = this.curves.map((curve): uPlot.AlignedData => [Array.from(curve.times), Array.from(curve.values)]);
    const data = tables.length === 1 ? tables[0] : uPlot.join(tables);
    this.plot = new uPlot(this.describe(), data, this.element);
  }

  private describe(): uPlot.Options {
    const { faint, grid, font, series } = this.theme;
    const { height, format, group, withZero, isStepped, isFilled } = this.options;
    const axis = { stroke: faint, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: `11px ${font}` };
    return {
      width: Math.max(200, Math.floor(this.element.clientWidth)),
      height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { sync: { key: group, setSeries: false }, y: false, points: { size: 6 }, drag: { x: true, y: false } },
      scales: { x: { time: true }, y: { range: (_, low, high) => rangeOf(low, high, withZero === true) } },
      axes: [
        { ...axis, size: 28, space: 84, values: timeLabels },
        { ...axis, size: AXIS_WIDTH, values: (_, splits) => splits.map((value) => format(plain(value))) },
      ],
      series: [
        {},
        ...this.curves.map((curve) => ({
          label: curve.label,
          stroke: series[curve.colour],
          width: 1.5,
          dash: curve.dash,
          spanGaps: true,
          points: { show: false },
          paths: isStepped ? uPlot.paths.stepped?.({ align: 1 }) : undefined,
          fill: isFilled && this.curves.length === 1 ? `${series[curve.colour]}22` : undefined,
          fillTo: 0,
        })),
      ],
      hooks: { setCursor: [(plot) => this.point(plot)] },
    };
  }

  private point(plot: uPlot): void {
    if (!this.options.hover) return;
    const place = plot.cursor.idx;
    if (place === null || place === undefined || (plot.cursor.left ?? -1) < 0) {
      this.options.hover(undefined, []);
      return;
    }
    const values = this.curves.map(({ label, colour }, curve) => ({ label, colour, value: before(plot.data[curve + 1] ?? [], place) }));
    this.options.hover(plot.data[0][place], values);
  }
}

/** The value at a place, or the last one before it where lines have other times. */
function before(values: ArrayLike<number | null | undefined>, place: number): number {
  for (let at = place; at >= 0; at--) {
    const value = values[at];
    if (value !== null && value !== undefined) return value;
  }
  return NaN;
}

/** With some room, and never empty. */
function rangeOf(low: number | null, high: number | null, withZero: boolean): [number, number] {
  if (low === null || high === null) return [-1, 1];
  const least = withZero ? Math.min(0, low) : low;
  const most = withZero ? Math.max(0, high) : high;
  const room = (most - least) * 0.06 || Math.abs(most) * 0.01 || 1;
  return [withZero && least === 0 ? 0 : least - room, withZero && most === 0 ? 0 : most + room];
}

/** Never "−0". */
function plain(value: number): number {
  return value === 0 ? 0 : value;
}

/** Times of day; the date where it changes and at the first. */
function timeLabels(_: uPlot, splits: number[], __: number, ___: number, step: number): string[] {
  let day = "";
  return splits.map((seconds, place) => {
    const text = new Date(seconds * 1000).toISOString();
    const date = text.slice(0, 10);
    const time = step < 1 ? text.slice(11, 23) : step < 60 ? text.slice(11, 19) : text.slice(11, 16);
    const isNew = date !== day;
    day = date;
    if (step >= 86_400) return date.slice(5);
    return isNew && place > 0 ? date.slice(5) : time;
  });
}
