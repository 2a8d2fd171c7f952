/** The pages, each with its name in links; those with charts are loaded when they are first shown. */

import type { Component } from "svelte";

import type { IconName } from "./lib/components/Icon.svelte";
import Overview from "./pages/overview/Overview.svelte";

export interface Page {
  /** As in `#/market`; empty for the overview. */
  readonly id: string;
  readonly title: string;
  readonly icon: IconName;
  readonly load: () => Promise<{ default: Component }> | { default: Component };
}

export const pages: readonly Page[] = [
  { id: "", title: "Overview", icon: "overview", load: () => ({ default: Overview }) },
  { id: "market", title: "Market", icon: "market", load: () => import("./pages/market/Market.svelte") },
  { id: "strategies", title: "Strategies", icon: "strategies", load: () => import("./pages/strategies/Strategies.svelte") },
  { id: "replays", title: "Replays", icon: "replays", load: () => import("./pages/replays/Replays.svelte") },
  { id: "signals", title: "Signals", icon: "signals", load: () => import("./pages/signals/Signals.svelte") },
  { id: "commands", title: "Commands", icon: "commands", load: () => import("./pages/commands/Commands.svelte") },
  { id: "errors", title: "Errors", icon: "errors", load: () => import("./pages/errors/Errors.svelte") },
  { id: "system", title: "System", icon: "system", load: () => import("./pages/system/System.svelte") },
];
