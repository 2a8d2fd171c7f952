// What a lag means to whoever looks at it.

/** From here on a lag is shown as one, in seconds. */
export const LAG_WARNING_S = 2;
export const LAG_ERROR_S = 10;

export function lagTone(seconds: number | null | undefined): "" | "warning" | "error" {
  if (seconds === null || seconds === undefined || seconds < LAG_WARNING_S) return "";
  return seconds < LAG_ERROR_S ? "warning" : "error";
}

/** Whether a lag grows: the last fifth of its trend beside the fifth before. */
export function direction(trend: readonly number[]): "grows" | "shrinks" | "steady" {
  const fifth = Math.floor(trend.length / 5);
  if (fifth < 2) return "steady";
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const now = mean(trend.slice(-fifth));
  const before = mean(trend.slice(-2 * fifth, -fifth));
  const step = Math.max(0.2, before * 0.1);
  return now > before + step ? "grows" : now < before - step ? "shrinks" : "steady";
}
