/** The API key: asked for when the gateway answers 401, and kept until the tab is closed. */

const NAME = "orchard.key";

let key = $state.raw(sessionStorage.getItem(NAME) ?? "");
let isAsked = $state.raw(false);
/** Counts the keys that were given: who depends on the key begins anew with each. */
let version = $state.raw(0);
const listeners = new Set<() => void>();

export const session = {
  get key(): string {
    return key;
  },
  get isAsked(): boolean {
    return isAsked;
  },
  get version(): number {
    return version;
  },
  /** The gateway has refused what was sent with this key. */
  refused(used: string): void {
    // An answer to a request with an older key says nothing about this one.
    if (used === key) isAsked = true;
  },
  give(text: string): void {
    key = text.trim();
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
    isAsked = false;
    version += 1;
    for (const listener of listeners) listener();
  },
  /** Is called when a key was given. */
  onChange(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
