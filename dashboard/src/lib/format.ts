/** How numbers and times are written: the same everywhere, in UTC, with a true minus. */

const MINUS = "−";
const NOTHING = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** A whole number with thousands parted: `1,234,567`. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  return whole.format(value).replace("-", MINUS);
}

/** A number in few characters: `1.23M`, `940`, `12.5K`. */
export function short(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const size = Math.abs(value);
  for (const [unit, text] of [[1e9, "B"], [1e6, "M"], [1e3, "K"]] as const) {
    // 999,950 is a million when it is rounded.
    if (size >= unit * 0.9995) return fixed(value / unit, size >= 100 * unit ? 0 : size >= 10 * unit ? 1 : 2) + text;
  }
  return fixed(value, Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** A number with so many digits behind the point. */
export function fixed(value: number, digits: number): string {
  const text = value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace("-", MINUS);
}

/** A share of 1 as percent. */
export function percent(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined || !Number.isFinite(share) ? NOTHING : `${fixed(share * 100, digits)} %`;
}

/** Decimal text as it is, with thousands parted; nothing is rounded. */
export function decimal(text: string | null | undefined): string {
  if (text === null || text === undefined || text === "") return NOTHING;
  const [, sign = "", digits = text, rest = ""] = /^(-?)(\d+)(.*)$/.exec(text) ?? [];
  return `${sign ? MINUS : ""}${digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",")}${rest}`;
}

/** Decimal text to so many digits with its sign, for profits: `+12.50`. */
export function profit(text: string | null | undefined, digits = 2): string {
  const value = Number(text);
  if (text === null || text === undefined || text === "" || !Number.isFinite(value)) return NOTHING;
  return `${value > 0 ? "+" : ""}${fixed(value, digits)}`;
}

/** The class that goes with a profit: never colour alone, as [`profit`] has a sign. */
export function tone(text: string | number | null | undefined): "up" | "down" | "" {
  const value = Number(text ?? 0);
  return value > 0 ? "up" : value < 0 ? "down" : "";
}

/** Seconds in the unit that fits: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function seconds(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value < 10) return `${fixed(value, 1)} s`;
  if (value < 60) return `${fixed(value, 0)} s`;
  const all = Math.round(value);
  if (all < 3600) return `${Math.floor(all / 60)} min${all % 60 ? ` ${all % 60} s` : ""}`;
  if (all < 86_400) return `${Math.floor(all / 3600)} h${Math.floor((all % 3600) / 60) ? ` ${Math.floor((all % 3600) / 60)} min` : ""}`;
  return `${Math.floor(all / 86_400)} d${Math.floor((all % 86_400) / 3600) ? ` ${Math.floor((all % 86_400) / 3600)} h` : ""}`;
}

/** Milliseconds: `0.42 ms`, `12 ms`, `1.2 s`; what took less than the clock tells is `< 1 ms`. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value >= 1000) return seconds(value / 1000);
  if (value === 0) return "< 1 ms";
  return `${fixed(value, value < 1 ? 2 : value < 10 ? 1 : 0)} ms`;
}

/** Bytes: `12.5 MB`. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  if (value < 1000) return `${value} B`;
  const [unit, name] = value < 1e6 ? [1e3, "KB"] : value < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${fixed(value / unit, 1)} ${name}`;
}

type When = string | number | Date | null | undefined;

function date(when: When): Date | undefined {
  if (when === null || when === undefined || when === "") return undefined;
  const at = new Date(when);
  return Number.isNaN(at.getTime()) ? undefined : at;
}

/** The time of day in UTC: `14:03:07`, with ms where they are asked for. */
export function time(when: When, { ms = false } = {}): string {
  return date(when)?.toISOString().slice(11, ms ? 23 : 19) ?? NOTHING;
}

/** Day and time in UTC: `2024-08-08 14:03:07`. */
export function dateTime(when: When, { ms = false } = {}): string {
  return date(when)?.toISOString().slice(0, ms ? 23 : 19).replace("T", " ") ?? NOTHING;
}

/** How long ago, in words: `just now`, `12 s ago`. */
export function ago(when: When, now = Date.now()): string {
  const at = date(when);
  if (!at) return NOTHING;
  const s = Math.max(0, (now - at.getTime()) / 1000);
  if (s < 2) return "just now";
  if (s < 120) return `${Math.floor(s)} s ago`;
  if (s < 7200) return `${Math.floor(s / 60)} min ago`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} days ago`;
}

/** The part of an id that tells it from others at sight. */
export function shortId(id: string | null | undefined): string {
  if (!id) return NOTHING;
  // Ids of version 7 begin with the time, so that those of one minute differ at the end.
  return id.length > 12 ? `…${id.slice(-8)}` : id;
}

/** A feed as people call it; that of a replay has the replay's id. */
export function feedName(feed: string): string {
  const replay = /^replay\/([0-9a-f-]{36})$/.exec(feed)?.[1];
  return replay ? `replay ${shortId(replay)}` : `feed ${feed}`;
}

/** `CreateUser` as `Create user`. */
export function words(name: string): string {
  const parted = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2");
  return parted.charAt(0).toUpperCase() + parted.slice(1).replace(/ [A-Z](?=[a-z])/g, (part) => part.toLowerCase());
}

/** `one command`, `2 commands`. */
export function several(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}
