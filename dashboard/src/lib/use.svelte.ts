import { onMount } from "svelte";

import { asApiError, type ApiError } from "./api";
import type { Live } from "./live";

/** A live value as state of a component: for what changes about once a second. What changes faster subscribes and draws itself. */
export function useLive<T>(live: Live<T>): { readonly value: T } {
  let value = $state.raw(live.value);
  onMount(() => live.subscribe(() => (value = live.value)));
  return {
    get value() {
      return value;
    },
  };
}

/** The time in ms, once in so many of them: for ages, and for what grows old. */
export function useNow(every = 1000): { readonly value: number } {
  let value = $state.raw(Date.now());
  onMount(() => {
    const timer = setInterval(() => (value = Date.now()), every);
    return () => clearInterval(timer);
  });
  return {
    get value() {
      return value;
    },
  };
}

/** What was read, or why not; the last that was read stays while it is read anew. */
export interface Loaded<T> {
  readonly value: T | undefined;
  readonly error: ApiError | undefined;
  readonly isLoading: boolean;
  /** Reads again. */
  reload(): void;
}

/** Reads whenever what `read` depends on changes, and once in `every` ms where that is given and the page is shown. */
export function useRead<T>(read: (signal: AbortSignal) => Promise<T> | undefined, every?: number): Loaded<T> {
  let value = $state.raw<T | undefined>(undefined);
  let error = $state.raw<ApiError | undefined>(undefined);
  let isLoading = $state.raw(true);
  let turn = $state.raw(0);
  $effect(() => {
    void turn;
    const aborted = new AbortController();
    const reading = read(aborted.signal);
    if (!reading) {
      isLoading = false;
      return;
    }
    isLoading = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    reading
      .then((answer) => {
        if (aborted.signal.aborted) return;
        value = answer;
        error = undefined;
      })
      .catch((reason: unknown) => {
        if (!aborted.signal.aborted) error = asApiError(reason);
      })
      .finally(() => {
        if (aborted.signal.aborted) return;
        isLoading = false;
        if (every !== undefined) timer = setTimeout(again, every);
      });
    const again = (): void => {
      if (document.hidden) timer = setTimeout(again, every);
      else turn += 1;
    };
    return () => {
      clearTimeout(timer);
      aborted.abort();
    };
  });
  return {
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    get isLoading() {
      return isLoading;
    },
    reload() {
      turn += 1;
    },
  };
}
