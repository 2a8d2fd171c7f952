/** What is published a second on each shard, from what two looks say: so that ticks behind can be said in seconds. */

import type { FeedState } from "../../lib/payloads";

/** Looks of so long ago count. */
const SPAN_MS = 10_000;

interface Look {
  readonly atMs: number;
  readonly published: number;
}

export class Rates {
  readonly #looks = new Map<string, Look[]>();

  take(feeds: readonly FeedState[], atMs: number): void {
    for (const { feed, run, shards } of feeds) {
      for (const { shard, published } of shards) {
        const key = `${feed}/${run}/${shard}`;
        const looks = this.#looks.get(key) ?? [];
        if (looks.at(-1)?.atMs === atMs) continue;
        looks.push({ atMs, published });
        while (looks.length > 2 && (looks[1]?.atMs ?? atMs) < atMs - SPAN_MS) looks.shift();
        this.#looks.set(key, looks);
      }
    }
  }

  /** Ticks a second; nothing before the second look. */
  of(feed: FeedState, shard: number): number | undefined {
    const looks = this.#looks.get(`${feed.feed}/${feed.run}/${shard}`) ?? [];
    const [first, last] = [looks[0], looks.at(-1)];
    if (!first || !last || last.atMs <= first.atMs) return undefined;
    return ((last.published - first.published) * 1000) / (last.atMs - first.atMs);
  }

  /** How far a lane is behind, in seconds of publishing. */
  lag(feed: FeedState, shard: number, ticks: number | null): number | undefined {
    if (ticks === null) return undefined;
    if (ticks === 0) return 0;
    const rate = this.of(feed, shard);
    return rate && rate > 0 ? ticks / rate : undefined;
  }
}

/** From here on a lag is shown as one, in seconds. */
export const LAG_WARNING_S = 2;
export const LAG_ERROR_S = 10;

export function lagTone(seconds: number | null | undefined): "" | "warning" | "error" {
  if (seconds === null || seconds === undefined || seconds < LAG_WARNING_S) return "";
  return seconds < LAG_ERROR_S ? "warning" : "error";
}

/** Whether a lag grows: the last fifth of its trend beside the fifth before. */
export function direction(trend: readonly number[]): "grows" | "shrinks" | "steady" {
  const fifth = Math.floor(trend.length / 5);
  if (fifth < 2) return "steady";
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const now = mean(trend.slice(-fifth));
  const before = mean(trend.slice(-2 * fifth, -fifth));
  const step = Math.max(0.2, before * 0.1);
  return now > before + step ? "grows" : now < before - step ? "shrinks" : "steady";
}
