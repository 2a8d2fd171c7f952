/** One connection for each hub: begun when somebody needs it, made again for ever when it is lost, and then everything that was
 *  watched is begun anew from where it was. */

import { HttpError, type HubConnection, HubConnectionBuilder, HubConnectionState, LogLevel } from "@microsoft/signalr";

import { Live } from "./live";
import { session } from "./session.svelte";

/** How it stands with a hub. `lost` is tried again, too: it has only been away for long. */
export type Connectedness = "idle" | "connecting" | "connected" | "reconnecting" | "lost" | "refused";

export interface HubStatus {
  readonly hub: string;
  readonly state: Connectedness;
  /** Since when, in ms since the UNIX epoch. */
  readonly since: number;
  readonly reason?: string;
}

/** A hub that has been away for so long counts as lost. */
const LOST_AFTER_MS = 10_000;
/** A connection that nobody needs is kept for so long, as pages come and go. */
const KEPT_MS = 5_000;
const SHORTEST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/** What is done at each connection; the signal aborts when the connection is lost or it is needed no more. */
type Use = (connection: HubConnection, signal: AbortSignal) => void | Promise<void>;

export class Hub {
  readonly name: string;
  readonly status: Live<HubStatus>;
  readonly #connection: HubConnection;
  readonly #uses = new Map<Use, AbortController>();
  #isRunning = false;
  #usedKey = "";
  #wake = (): void => {};
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string) {
    this.name = name;
    this.status = new Live<HubStatus>({ hub: name, state: "idle", since: Date.now() });
    this.#connection = new HubConnectionBuilder()
      .withUrl(`/hubs/${name}`, {
        accessTokenFactory: () => {
          this.#usedKey = session.key;
          return this.#usedKey;
        },
      })
      .configureLogging(LogLevel.None)
      .build();
    this.#connection.serverTimeoutInMilliseconds = 30_000;
    this.#connection.keepAliveIntervalInMilliseconds = 10_000;
    const again = (): void => this.#wake();
    addEventListener("online", again);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) again();
    });
    session.onChange(() => {
      // Whoever connected with another key, or with none, has what that one may see.
      if (this.#connection.state === HubConnectionState.Connected) void this.#connection.stop();
      again();
    });
  }

  /** Listens to what the hub sends by itself. */
  on(event: string, handler: (...values: never[]) => void): () => void {
    const any = handler as (...values: unknown[]) => void;
    this.#connection.on(event, any);
    return () => this.#connection.off(event, any);
  }

  /** The connection, for a generated client; it is started and stopped here alone. */
  get connection(): HubConnection {
    return this.#connection;
  }

  /** Does this now and at each connection that follows, until what is returned is called. */
  use(use: Use): () => void {
    clearTimeout(this.#idle);
    this.#uses.set(use, new AbortController());
    if (this.#connection.state === HubConnectionState.Connected) this.#begin(use);
    else if (!this.#isRunning) void this.#run();
    return () => {
      this.#uses.get(use)?.abort();
      this.#uses.delete(use);
      if (this.#uses.size === 0) this.#idle = setTimeout(() => this.#release(), KEPT_MS);
    };
  }

  #begin(use: Use): void {
    const previous = this.#uses.get(use);
    if (!previous) return;
    previous.abort();
    const aborted = new AbortController();
    this.#uses.set(use, aborted);
    const failed = (): void => {
      // The connection's end begins it anew; what the hub refuses is tried again after a while.
      const again = (): void => {
        if (!aborted.signal.aborted && this.#connection.state === HubConnectionState.Connected) this.#begin(use);
      };
      const timer = setTimeout(again, 2_000);
      aborted.signal.addEventListener("abort", () => clearTimeout(timer));
    };
    Promise.resolve()
      .then(() => use(this.#connection, aborted.signal))
      .catch(failed);
  }

  #release(): void {
    if (this.#uses.size === 0) void this.#connection.stop();
    this.#wake();
  }

  #set(state: Connectedness, reason?: string): void {
    const { state: before, since } = this.status.value;
    const isSame = before === state || (before === "reconnecting" && state === "lost");
    const next = { hub: this.name, state, since: isSame ? since : Date.now() };
    this.status.value = reason === undefined ? next : { ...next, reason };
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let hasConnected = false;
    let failures = 0;
    while (this.#uses.size > 0) {
      if (failures === 0 || this.status.value.state === "idle") this.#set(hasConnected ? "reconnecting" : "connecting");
      const over = new Promise<Error | undefined>((resolve) => {
        this.#over = resolve;
      });
      try {
        await this.#connection.start();
        hasConnected = true;
        failures = 0;
        this.#set("connected");
        for (const use of [...this.#uses.keys()]) this.#begin(use);
        const reason = await over;
        for (const aborted of this.#uses.values()) aborted.abort();
        if (this.#uses.size === 0) break;
        this.#set("reconnecting", reason?.message);
      } catch (error: unknown) {
        failures += 1;
        this.#failed(error);
      }
      if (this.#uses.size > 0) await this.#pause(failures);
    }
    this.#set("idle");
    this.#isRunning = false;
    if (this.#uses.size > 0) void this.#run();
  }

  #over: (reason: Error | undefined) => void = () => {};

  /** To be called once, as handlers of the end cannot be removed. */
  listen(): this {
    this.#connection.onclose((reason) => this.#over(reason));
    return this;
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (statusOf(error) === 401) {
      session.refused(this.#usedKey);
      this.#set("refused", "The gateway asks for its API key.");
      return;
    }
    if (statusOf(error) === 403) {
      this.#set("refused", reason);
      return;
    }
    const isLost = Date.now() - this.status.value.since > LOST_AFTER_MS;
    this.#set(isLost ? "lost" : this.status.value.state === "connecting" ? "connecting" : "reconnecting", reason);
  }

  /** Waits the longer the more failed, with some chance in it, so that not all clients of a gateway come at once. */
  async #pause(failures: number): Promise<void> {
    const wait = Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** failures) * (0.75 + Math.random() / 2);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  /** Follows a stream of the hub: opened anew at each connection, and after an end or an error of it. `open` is called each time, so
   *  that it can say what was seen last. */
  follow<T>(method: string, open: () => unknown, take: (item: T) => void): () => void {
    let empty = 0;
    return this.use(
      (connection, signal) =>
        new Promise<void>((_, fail) => {
          const end = (): void => {
            empty += 1;
            setTimeout(() => fail(new Error("the stream has ended")), Math.min(30_000, 500 * 2 ** empty));
          };
          const reading = connection.stream<T>(method, open()).subscribe({
            next: (item) => {
              empty = 0;
              if (!signal.aborted) take(item);
            },
            error: end,
            complete: end,
          });
          signal.addEventListener("abort", () => reading.dispose());
        }),
    );
  }
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpError) return error.statusCode;
  const text = error instanceof Error ? error.message : "";
  return /Status code '(\d{3})'/.exec(text) ? Number(/Status code '(\d{3})'/.exec(text)?.[1]) : undefined;
}

export const hubs = {
  market: new Hub("market").listen(),
  signals: new Hub("signals").listen(),
  system: new Hub("system").listen(),
  commands: new Hub("commands").listen(),
} as const;
