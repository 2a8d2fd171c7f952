// The columns of the instruments' table, whose cells are drawn outside of Svelte's reactivity.

import { drawSparkline } from "../../lib/charts/sparkline";
import { readTheme, type ChartTheme } from "../../lib/charts/theme";
import { seconds, short, tone } from "../../lib/format";
import { link } from "../../lib/router.svelte";
import { STALE_AFTER_MS } from "../../lib/store/quotes";
import { byNumber, byText, setText, type Column } from "../../lib/table";
import type { QuoteRow } from "./quote-row";

const LINE = { width: 72, height: 20 };

/** How old values are, by the gateway's clock. */
export class Ages {
  /** How much this clock is ahead: what was least long on its way says it best. */
  #ahead = Infinity;
  isRunning = true;

  /** An update came that the gateway learnt of at this time. */
  came(seenMs: number): void {
    this.#ahead = Math.min(this.#ahead, Date.now() - seenMs);
  }

  /** Since an instrument's last change. */
  of(row: QuoteRow): number {
    return Math.max(0, Date.now() - this.#ahead - row.state.seenMs);
  }

  isStale(row: QuoteRow): boolean {
    return this.isRunning && this.of(row) > STALE_AFTER_MS;
  }

  text(row: QuoteRow): string {
    if (!this.isRunning) return "ended";
    return this.isStale(row) ? `stale ${seconds(Math.floor(this.of(row) / 1000))}` : "live";
  }
}

/** The lines of prices, each on the canvas of its cell and drawn only when it has changed. */
export class Lines {
  #theme: ChartTheme = readTheme();
  #drawn = new WeakMap<HTMLCanvasElement, { row: QuoteRow; version: number }>();

  /** The colours have changed. */
  retheme(): void {
    this.#theme = readTheme();
    this.#drawn = new WeakMap();
  }

  draw(cell: HTMLElement, row: QuoteRow): void {
    const canvas = (cell.firstChild as HTMLCanvasElement | null) ?? this.#canvas(cell);
    const drawn = this.#drawn.get(canvas);
    if (drawn?.row === row && drawn.version === row.recent.version) return;
    const context = canvas.getContext("2d");
    if (!context) return;
    this.#drawn.set(canvas, { row, version: row.recent.version });
    const colour = row.change < 0 ? this.#theme.down : this.#theme.up;
    drawSparkline(context, row.recent, { ...LINE, ratio: canvas.width / LINE.width }, colour);
  }

  #canvas(cell: HTMLElement): HTMLCanvasElement {
    const canvas = document.createElement("canvas");
    const ratio = Math.min(2, Math.ceil(devicePixelRatio));
    canvas.width = LINE.width * ratio;
    canvas.height = LINE.height * ratio;
    canvas.style.cssText = `display: block; width: ${LINE.width}px; height: ${LINE.height}px`;
    canvas.setAttribute("aria-hidden", "true");
    cell.append(canvas);
    return canvas;
  }
}

/** From the most important one on; the others where there is room for them. */
export function columns(ages: Ages, lines: Lines): Column<QuoteRow>[] {
  const number = { width: "minmax(68px, 1fr)", align: "end" } as const;
  return [
    { key: "symbol", title: "Symbol", width: "minmax(72px, 1.2fr)", draw: drawSymbol, order: (a, b) => byText(a.state.symbol, b.state.symbol) },
    { ...number, key: "last", title: "Last", text: (row) => row.text(row.state.last), tone: (row) => tone(row.direction), order: byNumber((row) => row.price) },
    { ...number, key: "change", title: "Change", width: "64px", text: (row) => row.changeText(), tone: (row) => tone(row.change), order: byNumber((row) => row.change) },
    { key: "trend", title: "Trend", width: "72px", from: 464, draw: (cell, row) => lines.draw(cell, row) },
    { ...number, key: "bid", title: "Bid", from: 620, text: (row) => row.text(row.state.bid), order: byNumber((row) => Number(row.state.bid ?? NaN)) },
    { ...number, key: "ask", title: "Ask", from: 620, text: (row) => row.text(row.state.ask), order: byNumber((row) => Number(row.state.ask ?? NaN)) },
    { ...number, key: "ticks", title: "Ticks", width: "60px", from: 700, text: (row) => short(row.state.ticks), order: byNumber((row) => row.state.ticks) },
    { ...number, key: "age", title: "Updated", width: "72px", text: (row) => ages.text(row), order: byNumber((row) => row.state.seenMs) },
  ];
}

function drawSymbol(cell: HTMLElement, { state }: QuoteRow): void {
  const anchor = (cell.firstChild as HTMLAnchorElement | null) ?? cell.appendChild(document.createElement("a"));
  setText(anchor, state.symbol);
  const to = link("market", [state.source, state.symbol]);
  if (anchor.getAttribute("href") !== to) anchor.setAttribute("href", to);
}
