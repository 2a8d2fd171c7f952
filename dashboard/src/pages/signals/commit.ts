// Where a signal stands in the log of strategies: the event that has it, which says when it was published and for which command.

import { list } from "../../lib/api";
import type { EventView } from "../../generated/orchard";

/** Names a signal. */
export interface SignalId {
  run: string;
  strategy: string;
  shard: number;
  seq: number;
  n: number;
}

/** The event of the log that has a signal. */
export interface Commit {
  position: number;
  publishedAt: string;
  commandId: string | undefined;
  fromSeq: number;
  toSeq: number;
  signals: CommittedSignal[];
}

/** A signal as the log has it. */
export interface CommittedSignal {
  symbol: string;
  seq: number;
  n: number;
  tsEvent: number;
  tsRecv: number;
  side: string;
  price: string | null;
}

interface SignalsCommitted {
  run: string;
  strategy: string;
  shard: number;
  fromSeq: number;
  toSeq: number;
  signals: CommittedSignal[];
}

/** So many pages of the log are looked through. */
const MOST_PAGES = 40;
const PAGE = 50;

/** Where a run's events stand in the log. */
export interface Whereabouts {
  /** The command of which they came, where it is known. */
  commandId?: string | undefined;
  /** When the run had not begun yet. */
  sinceMs: number;
}

/**
 * Finds it by the time from which on the run has published: a few reads find that place of the log, then pages are read until the
 * signal is there. `undefined` where it is not found within bounds, or was forgotten.
 */
export async function findCommit(id: SignalId, { commandId, sinceMs }: Whereabouts, signal: AbortSignal): Promise<Commit | undefined> {
  const position = await lastBefore(sinceMs, signal);
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const place = cursor === undefined ? { position } : { cursor };
    const query = { context: "strategies", name: "SignalsCommitted", command: commandId, limit: PAGE, ...place };
    const { items, next } = await list<EventView>("/api/events", { query, signal });
    for (const event of items) {
      const body = event.body as SignalsCommitted;
      const isOurs = body.run === id.run && body.strategy === id.strategy && body.shard === id.shard;
      if (isOurs && body.fromSeq <= id.seq && id.seq < body.toSeq) return commitOf(event, body);
    }
    if (!next) return undefined;
    cursor = next;
  }
  return undefined;
}

function commitOf(event: EventView, body: SignalsCommitted): Commit {
  const { position, at, commandId } = event;
  return { position, publishedAt: at, commandId: commandId ?? undefined, ...body };
}

/** The last position of the log that is surely older than a time. */
async function lastBefore(sinceMs: number, signal: AbortSignal): Promise<number> {
  const at = async (query: Record<string, string | number | boolean>): Promise<EventView | undefined> => {
    const { items } = await list<EventView>("/api/events", { query: { context: "strategies", limit: 1, ...query }, signal });
    return items[0];
  };
  let low = 0;
  let high = (await at({ latest: true }))?.position ?? 0;
  while (high - low > PAGE) {
    const middle = Math.floor((low + high) / 2);
    const event = await at({ position: middle });
    if (event && Date.parse(event.at) < sinceMs) low = middle;
    else high = middle;
  }
  return low;
}
