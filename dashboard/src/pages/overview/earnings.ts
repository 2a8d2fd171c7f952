/** What ran lately and what it earned: the feeds' runs, and the latest replays. */

import type { PositionView, ReplayView } from "../../generated/orchard";
import { list } from "../../lib/api";
import type { SystemState } from "../../lib/payloads";

/** So many replays are looked at. */
const REPLAYS = 5;

/** One strategy in one run. */
export interface Earning {
  readonly position: PositionView;
  /** What it ran on, as `feed btc`. */
  readonly on: string;
  readonly link: { page: string; parts: string[] };
  readonly isRunning: boolean;
}

export interface Ran {
  readonly replays: readonly ReplayView[];
  readonly earnings: readonly Earning[];
}

export async function readRan(feeds: SystemState["feeds"], signal: AbortSignal): Promise<Ran> {
  const replays = (await list<ReplayView>("/api/replays", { query: { limit: REPLAYS }, signal })).items;
  const runs = [
    ...feeds.map((feed) => ({
      run: feed.run,
      on: `feed ${feed.feed}`,
      link: { page: "market", parts: [`feed/${feed.feed}`] },
      isRunning: feed.phase === "publishing" || feed.phase === "published",
    })),
    ...replays.map((replay) => ({
      run: replay.run ?? "",
      on: nameOf(replay),
      link: { page: "replays", parts: [replay.replayId] },
      isRunning: replay.state === "running",
    })),
  ].filter(({ run }) => run !== "");
  const read = runs.map(async ({ run, on, link, isRunning }): Promise<Earning[]> => {
    const page = await list<PositionView>("/api/positions", { query: { run, limit: 50 }, signal });
    return page.items.map((position) => ({ position, on, link, isRunning }));
  });
  return { replays, earnings: (await Promise.all(read)).flat() };
}

/** A replay by the first of its files. */
export function nameOf(replay: ReplayView): string {
  const [first = "", ...others] = replay.plan?.files ?? [];
  const name = first.split("/").at(-1) ?? first;
  return others.length ? `${name} and ${others.length} more` : name || "replay";
}
