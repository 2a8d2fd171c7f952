// Canvases know no CSS: the colours of the tokens are read once for each theme.

import { color, theme } from "../theme";
import { COLOURS } from "./marks";

/** What charts are drawn with; colours are `#rrggbb`, to which two digits of opacity can be added. */
export interface ChartTheme {
  text: string;
  faint: string;
  grid: string;
  surface: string;
  up: string;
  down: string;
  font: string;
  /** By the place that a strategy's mark has. */
  series: string[];
}

/** The colours that hold now. */
export function readTheme(): ChartTheme {
  const hex = (token: string): string => hexadecimal(color(token));
  return {
    text: hex("--text"),
    faint: hex("--text-2"),
    grid: hex("--line"),
    surface: hex("--surface"),
    up: hex("--up"),
    down: hex("--down"),
    font: getComputedStyle(document.documentElement).getPropertyValue("--font").trim() || "sans-serif",
    series: Array.from({ length: COLOURS }, (_, place) => hex(`--series-${place + 1}`)),
  };
}

/** `rgb(1, 2, 3)` as `#010203`. */
function hexadecimal(colour: string): string {
  const parts = colour.match(/[\d.]+/g) ?? [];
  return `#${parts.slice(0, 3).map((part) => Math.round(Number(part)).toString(16).padStart(2, "0")).join("")}`;
}

/** Calls back when the theme changes, by the switch or by the system, until what is returned is called. */
export function onThemeChange(changed: () => void): () => void {
  let isFirst = true;
  return theme.subscribe(() => {
    if (!isFirst) changed();
    isFirst = false;
  });
}
