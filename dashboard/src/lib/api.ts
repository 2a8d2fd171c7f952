/** The gateway's routes: reads, commands that are sent once however often a button is pressed, and problems as they are answered. */

import type { Accepted, Problem } from "../generated/orchard";
import { session } from "./session.svelte";

export type { Accepted, Problem };

/** Requests that take longer are given up. */
const LONGEST_MS = 30_000;

export type Query = Record<string, string | number | boolean | readonly string[] | undefined | null>;

/** A page of a list; `next` is the cursor of the one behind it. */
export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** A request that was not answered as asked. */
export class ApiError extends Error {
  /** The status; 0 where there was no answer at all. */
  readonly status: number;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail ?? problem.title);
    this.name = "ApiError";
    this.status = problem.status;
    this.problem = problem;
  }

  /** What is wrong with a field of a form. */
  field(name: string): string | undefined {
    const errors = this.problem.errors ?? {};
    const found = Object.keys(errors).find((key) => key.toLowerCase() === name.toLowerCase());
    if (found) return errors[found]?.join(" ");
    return this.problem.pointers?.find(({ pointer }) => pointer === `/${name}` || pointer.startsWith(`/${name}/`))?.detail;
  }

  /** What is wrong beside the fields with these names. */
  others(names: readonly string[]): string[] {
    const isShown = (name: string): boolean => names.some((shown) => shown.toLowerCase() === name.toLowerCase());
    return Object.entries(this.problem.errors ?? {}).filter(([name]) => !isShown(name)).map(([name, texts]) => `${name}: ${texts.join(" ")}`);
  }
}

/** Anything thrown, as an error that can be shown. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiError({ type: "about:blank", title: "Not done", status: 0, detail } as Problem);
}

interface Options {
  query?: Query;
  signal?: AbortSignal;
}

/** A path with its parameters put in: `path("/api/commands/{id}", { id })`. */
export function path(template: string, parameters: Record<string, string>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parameters[name] ?? ""));
}

function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const item of Array.isArray(value) ? value : [value]) search.append(name, String(item));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

async function request(method: string, url: string, body: unknown, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  const key = session.key;
  const all: Record<string, string> = { accept: "application/json", ...headers };
  if (key) all["authorization"] = `Bearer ${key}`;
  if (body !== undefined) all["content-type"] = "application/json";
  const limit = AbortSignal.timeout(LONGEST_MS);
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers: all,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error: unknown) {
    if (signal?.aborted) throw error;
    const detail = limit.aborted ? `No answer came within ${LONGEST_MS / 1000} s.` : "The gateway cannot be reached.";
    throw new ApiError({ type: "about:blank", title: "No answer", status: 0, detail } as Problem);
  }
  if (answer.ok) return answer;
  // Where this machine's own rule does not take the page, a key does.
  if (answer.status === 401 || (answer.status === 403 && key === "")) session.refused(key);
  throw new ApiError(await problemOf(answer));
}

async function problemOf(answer: Response): Promise<Problem> {
  const plain = { type: "about:blank", title: answer.statusText || `Status ${answer.status}`, status: answer.status };
  try {
    return { ...plain, ...((await answer.json()) as Partial<Problem>) } as Problem;
  } catch {
    return plain as Problem;
  }
}

/** A read of one document. */
export async function get<T>(path: string, { query, signal }: Options = {}): Promise<T> {
  const answer = await request("GET", withQuery(path, query), undefined, {}, signal);
  return (await answer.json()) as T;
}

/** A read of a list, one page of it. */
export function list<T>(path: string, options: Options = {}): Promise<Page<T>> {
  return get<Page<T>>(path, options);
}

/** A list from its beginning, so many pages of it at most. */
export async function all<T>(path: string, { query, signal }: Options = {}, most = 20): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < most; page += 1) {
    const options: Options = { query: { limit: 1000, ...query, cursor } };
    if (signal) options.signal = signal;
    const answer = await list<T>(path, options);
    items.push(...answer.items);
    if (!answer.next) break;
    cursor = answer.next;
  }
  return items;
}

/** Something that is done at once rather than by a command, as a requeue of failed messages. */
export async function act<T>(path: string, body?: unknown): Promise<T> {
  const answer = await request("POST", path, body, {});
  return (await answer.json()) as T;
}

/** 128 random bits; `crypto.randomUUID` is there over HTTPS and on this machine only. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What one form sends: the same wish twice, as by a double click or after a lost answer, is one command. Another wish of the same
 *  form, or the wish of another form, is a command of its own. */
export class Submission {
  #key = newKey();
  #sent = "";

  async send(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<Accepted> {
    const wish = `${method} ${path} ${JSON.stringify(body)}`;
    if (this.#sent !== "" && this.#sent !== wish) this.#key = newKey();
    this.#sent = wish;
    const answer = await request(method, path, body, { "idempotency-key": this.#key });
    return (await answer.json()) as Accepted;
  }
}
