/** How everything stands, about once a second. */

import { hubs } from "../hubs";
import { Live } from "../live";
import type { SystemState } from "../payloads";

/** The last state that came, and when, by this machine's clock; nothing before the first. */
export const system = new Live<{ state: SystemState; seenMs: number } | undefined>(undefined);

function take(state: SystemState): void {
  system.value = { state, seenMs: Date.now() };
}

/** Watches until what is returned is called. */
export function watchSystem(): () => void {
  const off = hubs.system.client.on("System", take);
  const end = hubs.system.use(async (client) => take(await client.watch()));
  return () => {
    off();
    end();
  };
}
