// The figures of accounts as pages show them. They are computed where the strategy runs: here they only get their words and digits.

import type { AccountFigures } from "../../generated/orchard";
import { count, fixed, percent, profit, seconds, short, tone } from "../../lib/format";

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

const YEAR = "a year of 365 days";

export const GROUPS: readonly FigureGroup[] = [
  {
    title: "Profit",
    figures: [
      { id: "equity", text: "Net profit", docs: "Realised and open profit less fees, in the quote unit, for a position of one", of: ({ equity }) => money(equity), tone: ({ equity }) => tone(equity) },
      { id: "profit-percent", text: "of the capital", docs: "Net profit in percent of the capital, which is stated, or else the first price of each instrument traded, summed", of: ({ netProfitPercent, capitalBasis }) => signedPercent(netProfitPercent) + (capitalBasis === "stated" ? " stated" : ""), tone: ({ netProfitPercent }) => tone(netProfitPercent) },
      { id: "sharpe", text: "Sharpe", docs: `The mean of the returns by their standard deviation, ${YEAR}`, of: ({ sharpe }) => ratio(sharpe) },
      { id: "sortino", text: "Sortino", docs: `The mean of the returns by the root of the mean square of the negative ones, ${YEAR}`, of: ({ sortino }) => ratio(sortino) },
      { id: "basis", text: "Returns", docs: "The stretches of receive time whose returns Sharpe and Sortino are made of", of: ({ returnStretches, returnStretchNs }) => (returnStretches ? `${count(returnStretches)} × ${time(returnStretchNs)}` : "–") },
    ],
  },
  {
    title: "Drawdown",
    figures: [
      { id: "drawdown", text: "Maximum drawdown", docs: "The greatest fall of equity from its highest", of: ({ maxDrawdown }) => amount(maxDrawdown) },
      { id: "drawdown-percent", text: "of the capital", docs: "The maximum drawdown in percent of the capital", of: ({ maxDrawdownPercent }) => percentOf(maxDrawdownPercent) },
      { id: "drawdown-duration", text: "Duration", docs: "From the highest equity before to the recovery, or to the end of the run", of: ({ drawdownDurationNs }) => time(drawdownDurationNs) },
      { id: "recovery", text: "Recovery", docs: "From the lowest equity to the highest before", of: ({ drawdownRecoveryNs, drawdownDurationNs }) => (drawdownRecoveryNs == null && drawdownDurationNs ? "not yet" : time(drawdownRecoveryNs)) },
      { id: "under-water", text: "Time under water", docs: "How long equity was below its highest before, as a share of the run", of: ({ underWater }) => percent(underWater) },
    ],
  },
  {
    title: "Round trips",
    figures: [
      { id: "trades", text: "Closed", docs: "Positions closed", of: ({ trades }) => count(trades) },
      { id: "hit-rate", text: "Hit rate", docs: "The share of round trips with profit", of: ({ hitRate }) => percent(hitRate) },
      { id: "profit-factor", text: "Profit factor", docs: "Gross profit by gross loss", of: ({ profitFactor }) => ratio(profitFactor) },
      { id: "expectancy", text: "Expectancy", docs: "The mean profit of a round trip, after fees", of: ({ expectancy }) => money(expectancy), tone: ({ expectancy }) => tone(expectancy) },
      { id: "average-win", text: "Average win", docs: "The mean profit of those with one", of: ({ averageWin }) => amount(averageWin) },
      { id: "average-loss", text: "Average loss", docs: "The mean loss of those with one", of: ({ averageLoss }) => amount(averageLoss) },
      { id: "largest-win", text: "Largest win", docs: "The greatest profit of a round trip", of: ({ largestWin }) => amount(largestWin) },
      { id: "largest-loss", text: "Largest loss", docs: "The greatest loss of one", of: ({ largestLoss }) => amount(largestLoss) },
    ],
  },
  {
    title: "Costs and exposure",
    figures: [
      { id: "realised", text: "Realised", docs: "Profit of closed positions", of: ({ realised }) => money(realised), tone: ({ realised }) => tone(realised) },
      { id: "open", text: "Open", docs: "Profit of the open position at the last price", of: ({ open }) => money(open), tone: ({ open }) => tone(open) },
      { id: "fees", text: "Fees", docs: "Paid", of: ({ fees }) => amount(fees) },
      { id: "turnover", text: "Turnover", docs: "The prices of all fills, summed", of: ({ turnover }) => (turnover ? short(Number(turnover)) : "–") },
      { id: "turnover-ratio", text: "of the capital", docs: "How often the turnover is the capital", of: ({ turnoverRatio }) => (turnoverRatio == null ? "–" : `${short(turnoverRatio)} ×`) },
      { id: "exposure", text: "Exposure", docs: "The share of the time with a position", of: ({ exposure }) => percent(exposure) },
      { id: "signals", text: "Signals", docs: "Signals taken", of: ({ signals }) => count(signals) },
    ],
  },
];

function ratio(value: number | null | undefined): string {
  return value == null ? "–" : fixed(value, 2);
}

/** What is in percent already. */
function percentOf(value: number | null | undefined): string {
  return percent(value == null ? value : value / 100, 2);
}

function signedPercent(value: number | null | undefined): string {
  return value != null && value > 0 ? `+${percentOf(value)}` : percentOf(value);
}

function time(ns: number | null | undefined): string {
  return ns == null ? "–" : seconds(ns / 1e9);
}
