//// streams

/**
 * Items that the server sends. Nothing is called until somebody reads, and each reader calls the method anew:
 *
 *     for await (const item of stream) { … }                        // `break` cancels the call
 *     const reading = stream.subscribe({ next, error, complete });  // `reading.dispose()` cancels it
 *
 * An error of the method, or the end of the connection, is thrown by the loop and given to `error`.
 */
export class HubStream<T> implements AsyncIterable<T>, IStreamResult<T> {
  /** How many items may wait for a `for await` that is slower than the server, before it fails. */
  static readonly maxWaiting = 100_000;

  readonly #call: (uploads: Uploads) => IStreamResult<T>;
  readonly #signals: readonly AbortSignal[];

  constructor(call: (uploads: Uploads) => IStreamResult<T>, signals: readonly AbortSignal[] = []) {
    this.#call = call;
    this.#signals = signals;
  }

  /** The same stream, cancelled when the signal aborts: its reader then fails with the signal's reason. */
  until(signal: AbortSignal): HubStream<T> {
    return new HubStream(this.#call, [...this.#signals, signal]);
  }

  /** Calls the method; `dispose()` of what is returned cancels the call, and nothing is given any more. */
  subscribe(subscriber: IStreamSubscriber<T>): ISubscription<T> {
    const aborted = this.#signals.find((signal) => signal.aborted);
    if (aborted) {
      subscriber.error(aborted.reason);
      return { dispose() {} };
    }
    const uploads = new Uploads();
    let isOver = false;
    // Whether nothing has ended it before.
    const end = (): boolean => {
      const isFirst = !isOver;
      isOver = true;
      uploads.stop();
      this.#signals.forEach((signal) => signal.removeEventListener("abort", abort));
      return isFirst;
    };
    const dispose = (): boolean => {
      const isFirst = end();
      if (isFirst) reading.dispose();
      return isFirst;
    };
    const abort = (event: Event): void => {
      if (dispose()) subscriber.error((event.target as AbortSignal).reason);
    };
    const reading = this.#call(uploads).subscribe({
      next: (item) => {
        if (!isOver) subscriber.next(item);
      },
      error: (reason: unknown) => {
        if (end()) subscriber.error(reason);
      },
      complete: () => {
        if (end()) subscriber.complete();
      },
    });
    this.#signals.forEach((signal) => signal.addEventListener("abort", abort));
    return { dispose };
  }

  /** Calls the method when the first item is asked for; leaving a `for await` by any means cancels the call. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    let waiting: T[] = [];
    let ended: { failure?: { reason: unknown } } | undefined;
    let wake = (): void => {};
    const end = (how: { failure?: { reason: unknown } }): void => {
      ended ??= how;
      wake();
    };
    const reading = this.subscribe({
      next: (item) => {
        waiting.push(item);
        if (waiting.length > HubStream.maxWaiting) {
          reading.dispose();
          end({ failure: { reason: new Error("The stream is read too slowly: too many of its items wait.") } });
        }
        wake();
      },
      error: (reason: unknown) => end({ failure: { reason } }),
      complete: () => end({}),
    });
    try {
      for (;;) {
        const items = waiting;
        waiting = [];
        yield* items;
        if (waiting.length > 0) continue;
        if (ended?.failure) throw ended.failure.reason;
        if (ended) return;
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      reading.dispose();
    }
  }
}
//// uploads

/** Items that the client sends: an array, an async iterable such as an async generator, or a `Subject`. */
export type Upload<T> = readonly T[] | AsyncIterable<T> | IStreamResult<T>;

/** What one call uploads: iterables are read until they end or the call does. */
class Uploads {
  readonly #stops: (() => void)[] = [];

  /** An upload as the connection takes it. */
  of<T>(items: Upload<T>): IStreamResult<T> {
    if ("subscribe" in items) return items;
    const source: AsyncIterator<T> | Iterator<T> =
      Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    let isStopped = false;
    const stop = (): void => {
      if (isStopped) return;
      isStopped = true;
      // An error of the iterable has nobody to be given to any more.
      void Promise.resolve(source.return?.()).catch(() => {});
    };
    this.#stops.push(stop);
    const send = async (subscriber: IStreamSubscriber<T>): Promise<void> => {
      try {
        for (;;) {
          const { done, value } = await source.next();
          if (isStopped) return;
          if (done) break;
          subscriber.next(value);
        }
        isStopped = true;
        subscriber.complete();
      } catch (error: unknown) {
        if (!isStopped) subscriber.error(error);
        isStopped = true;
      }
    };
    return {
      subscribe(subscriber) {
        void send(subscriber);
        return { dispose: stop };
      },
    };
  }

  /** Ends the uploads with the call. */
  async during<T>(call: Promise<T>): Promise<T> {
    try {
      return await call;
    } finally {
      this.stop();
    }
  }

  stop(): void {
    this.#stops.forEach((stop) => stop());
  }
}
//// handlers

type Handler = (...parameters: never[]) => unknown;
type AnyHandler = (...parameters: unknown[]) => Promise<unknown>;

//// events

/** By the application's handlers, so that `off` finds what `on` has registered. */
const withoutResults = new WeakMap<Handler, AnyHandler>();

/** A handler whose result is dropped: the connection would report one that the server has not asked for. */
function withoutResult(handler: Handler): AnyHandler {
  let wrapped = withoutResults.get(handler);
  if (!wrapped) {
    wrapped = async (...parameters) => {
      await handler(...(parameters as never[]));
    };
    withoutResults.set(handler, wrapped);
  }
  return wrapped;
}
//// answers

/** A handler that always answers: the server would take `undefined` for an error. */
function answering(handler: Handler): AnyHandler {
  return async (...parameters) => (await handler(...(parameters as never[]))) ?? null;
}
