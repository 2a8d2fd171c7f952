/** Signals in the order in which they were published: every one once, also over reconnects, as the hub is asked for what comes behind
 *  the last that was seen. */

import type { SignalView } from "../../generated/orchard";
import { list } from "../api";
import { hubs } from "../hubs";
import { nextFrame } from "../live";
import type { SignalState, SignalsUpdate, SignalWatch } from "../payloads";

/** Which signals; all of them where nothing is given. */
export type SignalFilter = Partial<Omit<SignalWatch, "after">>;

/** Follows until what is returned is called. `take` gets every update once and in order. */
export function followSignals(watch: SignalFilter, take: (update: SignalsUpdate) => void): () => void {
  let after: number | undefined;
  return hubs.signals.follow(
    (client) => client.follow({ runs: [], strategies: [], latest: null, ...watch, after: after ?? null }),
    (update) => {
      // A stream that was cut may have given this one before.
      if (after !== undefined && update.position < after) return;
      after = update.position;
      take(update);
    },
  );
}

/** A stream that has not begun after so long is not waited for any longer. */
const BEGIN_MS = 3_000;

/** As `followSignals`; `readPast` reads what was before. It is called once the stream has begun: that begins no later than what can be
 *  read then, so that nothing is between. Where the hub is away it is called after a moment, and again once the stream begins. What
 *  comes by both is for the caller to leave out. */
export function followWithPast(watch: SignalFilter, take: (update: SignalsUpdate) => void, readPast: () => void): () => void {
  let hasBegun = false;
  const timer = setTimeout(readPast, BEGIN_MS);
  const end = followSignals(watch, (update) => {
    take(update);
    if (hasBegun) return;
    hasBegun = true;
    clearTimeout(timer);
    readPast();
  });
  return () => {
    clearTimeout(timer);
    end();
  };
}

/** Keeps the last so many and draws them, at most once a frame, until what is returned is called. */
export function followLatest(watch: SignalFilter, most: number, draw: (signals: readonly SignalState[]) => void): () => void {
  let latest: readonly SignalState[] = [];
  let isOver = false;
  const shown = (): void => {
    if (!isOver) draw(latest);
  };
  const end = followSignals(watch, ({ signals }) => {
    if (signals.length === 0) return;
    latest = [...latest, ...signals].slice(-most);
    nextFrame(shown);
  });
  draw(latest);
  return () => {
    isOver = true;
    end();
  };
}

/** The last signals of an instrument in a run that can be read, about so many; `take` gets them page by page, the last first. */
export async function readLatest(run: string, symbol: string, most: number, signal: AbortSignal, take: (signals: readonly SignalView[]) => void): Promise<void> {
  const limit = 1_000;
  let to: string | undefined;
  for (let read = 0; read < most; read += limit) {
    const { items } = await list<SignalView>("/api/signals", { query: { run, symbol, latest: "true", limit, to }, signal });
    take(items);
    const first = items[0];
    if (!first || items.length < limit) return;
    // As a number a time has lost its last digits: those of its whole millisecond come once more.
    const before = new Date(Math.floor(Number(first.tsRecv) / 1e6) + 1).toISOString();
    if (before === to) return;
    to = before;
  }
}
