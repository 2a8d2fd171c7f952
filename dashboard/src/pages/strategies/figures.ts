// The figures of accounts as pages show them. They are computed where the strategy runs: here they only get their words and digits.

import type { AccountFigures } from "../../generated/orchard";
import { count, percent, profit, tone } from "../../lib/format";

/** One figure: a line of the comparison. */
export interface Figure {
  id: string;
  text: string;
  /** What it is, for whoever points at it. */
  docs: string;
  of: (figures: AccountFigures) => string;
  /** `up` or `down`, where its sign says something. */
  tone?: (figures: AccountFigures) => string;
}

/** Figures that are looked at together. */
export interface FigureGroup {
  title: string;
  figures: readonly Figure[];
}

/** Money of an account, with its sign. */
export function money(text: string | null | undefined): string {
  return profit(text, digitsOf(text));
}

/** Money without a sign, as drawdowns and fees have. */
export function amount(text: string | null | undefined): string {
  return money(text).replace(/^\+/, "");
}

/** Small amounts need more digits than large ones. */
function digitsOf(text: string | null | undefined): number {
  const size = Math.abs(Number(text ?? 0));
  return size === 0 || size >= 1 ? 2 : size >= 0.01 ? 4 : 8;
}

export const GROUPS: readonly FigureGroup[] = [
  {
    title: "Result",
    figures: [
      { id: "equity", text: "Net profit", docs: "Realised and open profit less fees, in the quote unit, for a position of one", of: ({ equity }) => money(equity), tone: ({ equity }) => tone(equity) },
      { id: "drawdown", text: "Maximum drawdown", docs: "The greatest fall of equity from its highest", of: ({ maxDrawdown }) => amount(maxDrawdown) },
    ],
  },
  {
    title: "Trades",
    figures: [
      { id: "trades", text: "Round trips", docs: "Positions closed", of: ({ trades }) => count(trades) },
      { id: "hit-rate", text: "Hit rate", docs: "The share of round trips with profit", of: ({ hitRate }) => percent(hitRate) },
      { id: "signals", text: "Signals", docs: "Signals taken", of: ({ signals }) => count(signals) },
    ],
  },
  {
    title: "Costs and exposure",
    figures: [
      { id: "realised", text: "Realised", docs: "Profit of closed positions", of: ({ realised }) => money(realised), tone: ({ realised }) => tone(realised) },
      { id: "open", text: "Open", docs: "Profit of the open position at the last price", of: ({ open }) => money(open), tone: ({ open }) => tone(open) },
      { id: "fees", text: "Fees", docs: "Paid", of: ({ fees }) => amount(fees) },
      { id: "exposure", text: "Exposure", docs: "The share of the time with a position", of: ({ exposure }) => percent(exposure) },
    ],
  },
];
