/** What became of a command, for a form that stays open until it is known. */

import { ApiError, get } from "./api";
import { isFinal } from "./store/commands";
import type { CommandView } from "../generated/orchard";

/** A command's status is asked for so long at once; the gateway answers at its end. */
const WAIT_MS = 5_000;

/** The status of a command at its end, or as it is after `mostMs`; nothing where it cannot be read yet. */
export async function ended(commandId: string, mostMs: number): Promise<CommandView | undefined> {
  const until = performance.now() + mostMs;
  for (;;) {
    const left = until - performance.now();
    const wait = Math.max(1, Math.min(WAIT_MS, Math.round(left)));
    const view = await get<CommandView>(`/api/commands/${commandId}`, { query: { wait: `${wait}ms` } }).catch((error: unknown) => {
      // It is on disk and may not be in the documents yet.
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    if (view && isFinal(view.state)) return view;
    if (performance.now() >= until) return view;
    if (!view) await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
