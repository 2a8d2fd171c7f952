// One instrument of the table: what is known of it, and the text of its cells, made only when it is seen.

import { decimals, toNumber } from "../../lib/charts/decimal";
import { Recent } from "../../lib/charts/sparkline";
import { decimal, fixed } from "../../lib/format";
import type { QuoteState } from "../../lib/payloads";

/** A price joins the line of prices at most so often. */
const SAMPLE_MS = 500;
/** So many prices make a line. */
const SAMPLES = 60;

export class QuoteRow {
  readonly recent = new Recent(SAMPLES);
  /** The last trade's price; the middle of the market where nothing was traded. */
  price = NaN;
  /** Since the first price, as a share. */
  change = NaN;
  /** Whether the price rose last (1) or fell (−1). */
  direction = 0;
  #digits = 0;
  #sampledAt = -Infinity;

  constructor(public state: QuoteState) {
    this.take(state);
  }

  /** Adopts another state. */
  take(state: QuoteState): void {
    this.state = state;
    for (const text of [state.bid, state.ask, state.last]) if (text) this.#digits = Math.max(this.#digits, decimals(text));
    const before = this.price;
    const last = toNumber(state.last);
    this.price = Number.isNaN(last) ? (toNumber(state.bid) + toNumber(state.ask)) / 2 : last;
    if (this.price !== before && !Number.isNaN(before)) this.direction = this.price > before ? 1 : -1;
    const first = toNumber(state.first);
    this.change = first > 0 ? this.price / first - 1 : NaN;
    const now = performance.now();
    if (Number.isNaN(this.price) || now - this.#sampledAt < SAMPLE_MS) return;
    this.#sampledAt = now;
    this.recent.push(this.price);
  }

  /** A price with as many digits as its instrument has. */
  text(price: string | null): string {
    if (!price) return "–";
    const had = decimals(price);
    const whole = price.includes(".") ? price.replace(/\.?0*$/, "") : price;
    const zeros = "0".repeat(Math.max(0, this.#digits - had));
    return decimal(whole) + (zeros && had === 0 ? "." : "") + zeros;
  }

  /** The change in percent with its sign. */
  changeText(): string {
    if (Number.isNaN(this.change)) return "–";
    const text = fixed(this.change * 100, 2);
    return `${this.change > 0 && /[1-9]/.test(text) ? "+" : ""}${text} %`;
  }
}
