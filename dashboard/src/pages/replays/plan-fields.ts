// The fields of a replay's form beside its files and strategies.

import type { Field } from "../../lib/fields";
import type { StartReplay } from "../../generated/orchard";

/** What is asked for most often. */
export const FIRST: readonly Field[] = [
  { name: "speed", label: "Speed", kind: "number", placeholder: "as fast as possible", docs: "How many times as fast as it was received." },
  { name: "symbols", label: "Instruments", kind: "text", placeholder: "all", docs: "Symbols, parted by commas." },
];

/** The others. */
export const MORE: readonly Field[] = [
  {
    name: "fill", label: "Fills", kind: "choice", docs: "How the paper account fills.",
    choices: [
      { value: "", text: "at the price of the signal" },
      { value: "cross", text: "at the other side of the market" },
    ],
  },
  { name: "fee", label: "Fee", kind: "number", placeholder: "0", docs: "In basis points of each fill." },
  { name: "slippage", label: "Slippage", kind: "number", placeholder: "0", docs: "In basis points of each fill." },
  { name: "capital", label: "Capital", kind: "number", placeholder: "the first prices, summed", docs: "What percentages are of, in the quote unit." },
  { name: "from", label: "From", kind: "text", placeholder: "the first tick", docs: "Receive time with its zone, as 2024-08-08T08:00:00Z." },
  { name: "to", label: "To", kind: "text", placeholder: "the last tick", docs: "Receive time with its zone, which is left out." },
  { name: "loop", label: "Times", kind: "whole", placeholder: "1", docs: "How often all of it is played." },
  {
    name: "onBadLine", label: "Malformed lines", kind: "choice",
    choices: [
      { value: "", text: "stop the replay" },
      { value: "skip", text: "are left out and counted" },
    ],
  },
];

/** What the fields show of another replay's plan. */
export function valuesOf(plan: StartReplay | undefined): Record<string, string> {
  if (!plan) return {};
  const { speed, symbols, fill, fee, slippage, capital, from, to, loop, onBadLine } = plan;
  const known = { speed, fee, slippage, capital, from, to, loop, onBadLine: onBadLine === "skip" ? onBadLine : "", fill: fill === "cross" ? fill : "" };
  const texts = Object.entries(known).map(([name, value]) => [name, value == null ? "" : String(value)]);
  return { ...Object.fromEntries(texts), symbols: (symbols ?? []).join(", ") };
}

/** What is sent of the fields; what is empty is left out, so that the gateway's defaults hold. */
export function planOf(values: Readonly<Record<string, string>>): Record<string, unknown> {
  const text = (name: string): string | undefined => (values[name] ?? "").trim() || undefined;
  const number = (name: string): number | undefined => (text(name) === undefined ? undefined : Number(text(name)));
  const symbols = (values["symbols"] ?? "").split(/[\s,]+/).filter((symbol) => symbol !== "");
  return {
    symbols: symbols.length > 0 ? symbols : undefined,
    speed: number("speed"), loop: number("loop"), from: text("from"), to: text("to"),
    fill: text("fill"), fee: text("fee"), slippage: text("slippage"), capital: text("capital"), onBadLine: text("onBadLine"),
  };
}
