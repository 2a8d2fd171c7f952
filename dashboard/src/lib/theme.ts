/** Light or dark: as the system has it, or as was chosen here. */

import { Live } from "./live";

export type Theme = "system" | "light" | "dark";

const NAME = "orchard.theme";

function stored(): Theme {
  const text = localStorage.getItem(NAME);
  return text === "light" || text === "dark" ? text : "system";
}

/** What was chosen. Charts subscribe, as their colours are not styles. */
export const theme = new Live<Theme>("system");

export function setTheme(chosen: Theme): void {
  if (chosen === "system") {
    localStorage.removeItem(NAME);
    delete document.documentElement.dataset["theme"];
  } else {
    localStorage.setItem(NAME, chosen);
    document.documentElement.dataset["theme"] = chosen;
  }
  theme.value = chosen;
}

const isSystemDark = matchMedia("(prefers-color-scheme: dark)");
isSystemDark.addEventListener("change", () => theme.changed());

/** Whether it is dark now. */
export function isDark(): boolean {
  return theme.value === "dark" || (theme.value === "system" && isSystemDark.matches);
}

/** Before anything is drawn. */
export function startTheme(): void {
  setTheme(stored());
}

let probe: HTMLElement | undefined;

/** A colour of `tokens.css` as it is now, for a canvas: `color("--up")` is `rgb(…)`. */
export function color(token: string): string {
  if (!probe) {
    probe = document.createElement("i");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${token})`;
  return getComputedStyle(probe).color;
}
