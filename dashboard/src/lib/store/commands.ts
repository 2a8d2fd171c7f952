/** What becomes of commands, as it does: pushed by the hub, in a map outside of Svelte's reactivity. */

import type { CommandView } from "../../generated/orchard";
import { hubs } from "../hubs";
import { Changes } from "../live";
import type { CommandsUpdate } from "../payloads";

/** So many commands are remembered; the oldest are forgotten first. */
const MOST = 5_000;

class Commands extends Changes {
  readonly byId = new Map<string, CommandView>();
  /** Whether all that there was has come. */
  isLatest = false;
  #cursor: Record<string, number> | undefined;
  #watchers = 0;
  #end = (): void => {};

  /** The newest first. */
  newest(): CommandView[] {
    return [...this.byId.values()].sort((a, b) => (a.acceptedAt < b.acceptedAt ? 1 : a.acceptedAt > b.acceptedAt ? -1 : 0));
  }

  /** Follows until what is returned is called; several share one stream. */
  follow(): () => void {
    this.#watchers += 1;
    if (this.#watchers === 1) {
      this.#end = hubs.commands.follow(
        (client) => client.follow({ after: this.#cursor ?? null, ids: [], latest: 500 }),
        (update) => this.#take(update),
      );
    }
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#watchers -= 1;
      if (this.#watchers === 0) this.#end();
    };
  }

  #take(update: CommandsUpdate): void {
    this.#cursor = update.cursor;
    this.isLatest = update.isLatest;
    for (const command of update.commands as unknown as CommandView[]) this.byId.set(command.commandId, command);
    if (this.byId.size > MOST) {
      for (const { commandId } of this.newest().slice(MOST)) this.byId.delete(commandId);
    }
    this.changed();
  }

  /** A status that was read rather than pushed. */
  put(command: CommandView): void {
    this.byId.set(command.commandId, command);
    this.changed();
  }
}

export const commands = new Commands();

const FINAL = new Set(["completed", "failed", "cancelled"]);

/** Whether nothing more happens to a command in this state, unless somebody requeues it. */
export function isFinal(state: string): boolean {
  return FINAL.has(state);
}
