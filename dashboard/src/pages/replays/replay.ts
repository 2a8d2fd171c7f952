// What pages say of a replay.

import type { PositionView, ReplayView, StartReplay } from "../../generated/orchard";
import { seconds } from "../../lib/format";

const OVER = new Set(["completed", "failed", "cancelled"]);

/** Whether nothing more comes of it. */
export function isOver(replay: ReplayView): boolean {
  return OVER.has(replay.state);
}

/** Its files in few words. */
export function filesText(plan: StartReplay): string {
  const [first = "", ...others] = plan.files;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** How long it played. */
export function took(replay: ReplayView): string {
  if (!replay.startedAt || !replay.endedAt) return "–";
  return seconds((Date.parse(replay.endedAt) - Date.parse(replay.startedAt)) / 1000);
}

/** What is left at the speed that it had so far, in seconds; nothing where that is not known. */
export function left(replay: ReplayView, now: number): number | undefined {
  const share = replay.progress?.share;
  if (!share || !replay.startedAt) return undefined;
  const so = (now - Date.parse(replay.startedAt)) / 1000;
  return so > 0 && share > 0.01 ? (so / share) * (1 - share) : undefined;
}

/** Accounts by the run that they are of. */
export function accountsByRun(accounts: readonly PositionView[]): Map<string, PositionView[]> {
  const byRun = new Map<string, PositionView[]>();
  for (const account of accounts) {
    const known = byRun.get(account.run);
    if (known) known.push(account);
    else byRun.set(account.run, [account]);
  }
  return byRun;
}
