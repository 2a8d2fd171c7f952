/** Keys for the keyboard: `g` and a letter goes to a page, `/` to the filter of the page, `?` shows them all. */

import { go, link } from "./router.svelte";

export interface Shortcut {
  readonly keys: string;
  readonly does: string;
  readonly page?: string;
}

export const shortcuts: readonly Shortcut[] = [
  { keys: "g o", does: "Overview", page: "" },
  { keys: "g m", does: "Market", page: "market" },
  { keys: "g s", does: "Strategies", page: "strategies" },
  { keys: "g r", does: "Replays", page: "replays" },
  { keys: "g i", does: "Signals", page: "signals" },
  { keys: "g c", does: "Commands", page: "commands" },
  { keys: "g e", does: "Errors", page: "errors" },
  { keys: "g y", does: "System", page: "system" },
  { keys: "/", does: "Filter what is shown" },
  { keys: "t", does: "Light or dark" },
  { keys: "?", does: "These shortcuts" },
];

/** A letter must follow the `g` within this time. */
const LONGEST_MS = 1_500;

export interface Actions {
  help(): void;
  theme(): void;
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Listens until what is returned is called. */
export function listenToKeys(actions: Actions): () => void {
  let leader = 0;
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isTyping(event.target)) return;
    // A dialog has the keyboard to itself.
    if (document.querySelector("dialog[open]")) return;
    const isSecond = performance.now() - leader < LONGEST_MS;
    leader = 0;
    if (isSecond) {
      const found = shortcuts.find(({ keys, page }) => page !== undefined && keys === `g ${event.key}`);
      if (found?.page !== undefined) {
        event.preventDefault();
        go(link(found.page));
        return;
      }
    }
    if (event.key === "g") leader = performance.now();
    else if (event.key === "?") actions.help();
    else if (event.key === "t") actions.theme();
    else if (event.key === "/") {
      const filter = document.querySelector<HTMLElement>("main [data-filter]");
      filter?.focus();
    } else return;
    event.preventDefault();
  };
  addEventListener("keydown", onKey);
  return () => removeEventListener("keydown", onKey);
}
