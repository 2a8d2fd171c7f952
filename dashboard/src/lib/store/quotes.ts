/** The latest prices of every instrument that somebody watches, outside of Svelte's reactivity. */

import { hubs } from "../hubs";
import { Changes } from "../live";
import type { MarketSnapshot, MarketWatch, QuoteState, SourceState } from "../payloads";

/** Which instruments, and how often; all of them where nothing is given. */
export type QuoteFilter = Partial<MarketWatch>;

/** Values older than this are stale while their source runs. */
export const STALE_AFTER_MS = 3_000;

/** One watch: its instruments, drawn at most once a frame after they have changed. */
export class Quotes extends Changes {
  /** By source and symbol, in the order in which they came. */
  readonly quotes = new Map<string, QuoteState>();
  readonly sources = new Map<string, SourceState>();
  /** Grows when instruments are added. */
  size = 0;

  static key(source: string, symbol: string): string {
    return `${source}\n${symbol}`;
  }

  get(source: string, symbol: string): QuoteState | undefined {
    return this.quotes.get(Quotes.key(source, symbol));
  }

  take(quotes: readonly QuoteState[]): void {
    for (const quote of quotes) {
      const key = Quotes.key(quote.source, quote.symbol);
      const known = this.quotes.get(key);
      // Updates may come in another order than they were made in: the greater version counts.
      if (!known || known.version < quote.version) this.quotes.set(key, quote);
    }
    this.size = this.quotes.size;
    this.changed();
  }

  /** Sources that have begun, gone on or ended. */
  takeSources(sources: readonly SourceState[]): void {
    for (const source of sources) this.sources.set(source.source, source);
    this.changed();
  }

  begin(snapshot: MarketSnapshot): void {
    this.sources.clear();
    this.takeSources(snapshot.sources);
    // Another gateway counts versions anew, so that only what it says counts from now on.
    this.quotes.clear();
    this.take(snapshot.quotes);
  }
}

/** Watches instruments until what is returned is called; after a reconnect the watch is begun anew. */
export function watchQuotes(watch: QuoteFilter, into: Quotes): () => void {
  let group: string | undefined;
  let early: [string, QuoteState[]][] = [];
  const off = hubs.market.client.on("Quotes", (of, quotes) => {
    if (of === group) into.take(quotes);
    else if (group === undefined) early.push([of, quotes]);
  });
  const offSources = hubs.market.client.on("Sources", (of, sources) => {
    if (of === group) into.takeSources(sources);
  });
  const end = hubs.market.use(async (client, signal) => {
    group = undefined;
    early = [];
    const snapshot = await client.watch({ source: null, symbols: [], perSecond: null, ...watch });
    if (signal.aborted) return;
    into.begin(snapshot);
    group = snapshot.group;
    // Changes can overtake the answer.
    for (const [of, quotes] of early) if (of === group) into.take(quotes);
    early = [];
  });
  return () => {
    off();
    offSources();
    end();
    if (group !== undefined && hubs.market.status.value.state === "connected") {
      release(group);
    }
  };
}

/** Watches of the same instruments at the same rate share a group. */
function release(group: string): void {
  void hubs.market.client.unwatch(group).catch(() => {});
}
