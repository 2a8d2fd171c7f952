/** Where the dashboard is: all that a page shows is named by the hash, so that every view has a link. */

/** A place in the dashboard, as `#/errors/orders_error/42?reason=timeout`. */
export interface Route {
  /** The first part of the path; empty for the overview. */
  readonly page: string;
  /** The parts behind it, decoded. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", ...parts] = path.split("/").filter((part) => part !== "").map(decoded);
  return { page, parts, query: new URLSearchParams(query) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

let current = $state.raw(parse(location.hash));

addEventListener("hashchange", () => {
  current = parse(location.hash);
});

/** The place that is shown; reading it in a component follows it. */
export function route(): Route {
  return current;
}

export type QueryValues = Record<string, string | number | undefined | null>;

/** The link to a page: parts are encoded, and what is empty in the query is left out. */
export function link(page: string, parts: readonly (string | number)[] = [], query: QueryValues = {}): string {
  const path = [page, ...parts].map((part) => encodeURIComponent(part).replaceAll("%2C", ",")).join("/");
  const values = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const search = new URLSearchParams(values.map(([name, value]) => [name, String(value)])).toString();
  return `#/${path}${search ? `?${search}` : ""}`;
}

/** Goes to a link of [`link`]; with `replace` the place before is not gone back to. */
export function go(to: string, { replace = false } = {}): void {
  if (replace) {
    history.replaceState(null, "", to);
    current = parse(to);
  } else {
    location.hash = to;
  }
}

/** The same page with other values in its query. */
export function withQuery(values: QueryValues): string {
  const query: QueryValues = Object.fromEntries(current.query);
  return link(current.page, current.parts, { ...query, ...values });
}
