/** Reads that are kept as files: the format is asked for by a header and the key is sent with it, which a plain link cannot. */

import { ApiError, type Problem, type Query } from "./api";
import { session } from "./session.svelte";

/** Saves what a route answers as this media type. */
export async function download(path: string, query: Query, accept: string, name: string): Promise<void> {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.append(key, String(value));
  }
  const headers: Record<string, string> = { accept };
  if (session.key) headers["authorization"] = `Bearer ${session.key}`;
  const answer = await fetch(search.size > 0 ? `${path}?${search}` : path, { headers });
  if (!answer.ok) throw new ApiError(await problemOf(answer));
  const url = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it once the click is over; a moment more costs nothing.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    return (await answer.json()) as Problem;
  } catch {
    return { type: "about:blank", title: answer.statusText, status: answer.status } as Problem;
  }
}
