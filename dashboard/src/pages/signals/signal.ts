// A signal as pages show it, from the hub or from a read.

import type { SignalView } from "../../generated/orchard";
import type { SignalState } from "../../lib/payloads";
import { link } from "../../lib/router.svelte";

/** What pages show of a signal. */
export interface ShownSignal {
  run: string;
  strategy: string;
  symbol: string;
  shard: number;
  seq: number;
  n: number;
  side: string;
  price: string | null | undefined;
  /** Receive time in ms. */
  atMs: number;
  /** The venue's time in ns, as text from the hub and as a number, with fewer digits, from a read. */
  tsEvent: string | number;
  /** When it was published, where it came by the hub. */
  publishedMs?: number;
}

/** From a read, whose times are in ns. */
export function fromView(view: SignalView): ShownSignal {
  return { ...view, atMs: Math.floor(Number(view.tsRecv) / 1e6) };
}

/** The page of a signal; its time makes it quick to find. */
export function signalLink(signal: ShownSignal | SignalState): string {
  const { run, strategy, shard, seq, n, atMs } = signal;
  return link("signals", [run, strategy, shard, seq, n], { at: atMs });
}
