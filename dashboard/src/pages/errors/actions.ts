/** What can be done with messages that failed: first as a dry run, which says what would be done. */

import type { ErrorsDone } from "../../generated/orchard";
import { act } from "../../lib/api";

export type Kind = "requeue" | "move" | "discard";

/** Which messages: these, or those that a filter finds, or all of the queue. */
export interface Selection {
  readonly ids?: readonly string[];
  readonly type?: string;
  readonly reason?: string;
  readonly olderThan?: string;
  readonly newerThan?: string;
}

export const WORDS: Record<Kind, { title: string; verb: string; done: string; docs: string }> = {
  requeue: { title: "Requeue messages", verb: "Requeue", done: "requeued", docs: "They go at once to the endpoint where they failed, as they were sent." },
  move: { title: "Move messages", verb: "Move", done: "moved", docs: "They go at once to another queue, with the headers that say how they failed." },
  discard: { title: "Discard messages", verb: "Discard", done: "discarded", docs: "They are written down in the server's folder of state, and removed at once." },
};

/** Whether anything is selected but by the queue. */
function isFiltered(selection: Selection): boolean {
  return Boolean(selection.ids?.length || selection.type || selection.reason || selection.olderThan || selection.newerThan);
}

export function run(kind: Kind, queue: string, selection: Selection, to: string, dryRun: boolean): Promise<ErrorsDone> {
  const { ids, ...filter } = selection;
  const which = isFiltered(selection) ? { ...filter, ...(ids?.length ? { ids } : {}) } : { all: true };
  const target = kind !== "discard" && to.trim() ? { to: to.trim() } : {};
  return act<ErrorsDone>(`/api/errors/${encodeURIComponent(queue)}/${kind}`, { ...which, ...target, dryRun });
}
