// What a run is of: a replay or a feed, and with it the command that began it.

import { all, get } from "../../lib/api";
import type { ReplayView } from "../../generated/orchard";

/** What a run came of. */
export interface Origin {
  /** As the market names it: `replay/ID`; absent where it is a feed's, whose name its run does not say. */
  source: string | undefined;
  replay: ReplayView | undefined;
}

const known = new Map<string, Promise<Origin>>();

/** Of a run; read once, as a run keeps its origin. */
export function originOf(run: string): Promise<Origin> {
  let origin = known.get(run);
  if (!origin) {
    origin = find(run);
    known.set(run, origin);
    // What could not be read is asked for again, and a replay that had just begun may not have been listed.
    origin.then(({ replay }) => replay ?? known.delete(run), () => known.delete(run));
  }
  return origin;
}

async function find(run: string): Promise<Origin> {
  const replays = await all<ReplayView>("/api/replays");
  const replay = replays.find((one) => one.run === run);
  return { source: replay && `replay/${replay.replayId}`, replay };
}

/** The replay that a source of the market is; none of a feed. */
export function replayOf(source: string, signal: AbortSignal): Promise<ReplayView> | undefined {
  const id = source.startsWith("replay/") ? source.slice("replay/".length) : undefined;
  return id === undefined ? undefined : get<ReplayView>(`/api/replays/${encodeURIComponent(id)}`, { signal });
}
