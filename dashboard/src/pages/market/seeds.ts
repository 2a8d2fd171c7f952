// Lines of prices begin with what was before the page: candles of ten seconds of the instruments that are seen.

import { hubs } from "../../lib/hubs";
import type { CandleState, QuoteState } from "../../lib/payloads";

const INTERVAL_S = 10;
const CANDLES = 60;
const LONGEST_MS = 5_000;
/** It is looked so often for instruments that have come into sight. */
const LOOK_MS = 1_000;

/** Gives each instrument that `next` names its past, one after the other, until what is returned is called. */
export function seed(next: () => QuoteState | undefined, give: (quote: QuoteState, prices: number[]) => void): () => void {
  let isOver = false;
  let timer: ReturnType<typeof setTimeout>;
  const turn = async (): Promise<void> => {
    const isConnected = hubs.market.status.value.state === "connected";
    const quote = isConnected ? next() : undefined;
    if (quote) {
      const candles = await past(quote);
      if (!isOver) give(quote, candles.map(({ close }) => Number(close)));
    }
    if (!isOver) timer = setTimeout(() => void turn(), quote ? 20 : LOOK_MS);
  };
  timer = setTimeout(() => void turn(), LOOK_MS / 2);
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

/** The candles that there are: the first item of the stream. */
function past({ source, symbol }: QuoteState): Promise<CandleState[]> {
  return new Promise((resolve) => {
    const watch = { source, symbol, intervalS: INTERVAL_S, limit: CANDLES };
    const limit = setTimeout(() => end([]), LONGEST_MS);
    const end = (candles: CandleState[]): void => {
      clearTimeout(limit);
      resolve(candles);
      // In a task of its own, as an item can come while it is subscribed.
      setTimeout(() => reading.dispose());
    };
    const reading = hubs.market.connection.stream<CandleState[]>("Candles", watch).subscribe({ next: end, error: () => end([]), complete: () => end([]) });
  });
}
