/** One connection for each hub: begun when somebody needs it, made again for ever when it is lost, and then everything that was
 *  watched is begun anew from where it was. */

import { HttpError, type HubConnection, HubConnectionBuilder, HubConnectionState, type IStreamResult, LogLevel } from "@microsoft/signalr";

import { CommandsClient } from "../generated/commands";
import { MarketClient } from "../generated/market";
import { SignalsClient } from "../generated/signals";
import { SystemClient } from "../generated/system";
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
/** What has gone well for so long has recovered. */
const RECOVERED_MS = 10_000;

/** What is done at each connection; the signal aborts when the connection is lost or it is needed no more. */
type Use<C> = (client: C, signal: AbortSignal) => void | Promise<void>;

/** What is in use, with what ends its turn at this connection. */
interface Turn {
  end: AbortController;
  failures: number;
}

/** Longer the more failed, with some chance in it, so that not all clients of a gateway come at once. */
function wait(failures: number): number {
  return Math.min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** failures) * (0.75 + Math.random() / 2);
}

export class Hub<C> {
  readonly status: Live<HubStatus>;
  /** For what is asked once; what shall last over reconnects is given to `use` or `follow`. */
  readonly client: C;
  /** It is started and stopped here alone. */
  readonly connection: HubConnection;
  readonly #name: string;
  readonly #uses = new Map<Use<C>, Turn>();
  #isRunning = false;
  #usedKey = "";
  #idle: ReturnType<typeof setTimeout> | undefined;
  #wake = (): void => {};
  #closed = (_reason?: Error): void => {};

  constructor(name: string, client: (connection: HubConnection) => C) {
    this.#name = name;
    this.status = new Live<HubStatus>({ hub: name, state: "idle", since: Date.now() });
    const accessTokenFactory = (): string => {
      this.#usedKey = session.key;
      return this.#usedKey;
    };
    const builder = new HubConnectionBuilder().withUrl(`/hubs/${name}`, { accessTokenFactory });
    this.connection = builder.configureLogging(LogLevel.None).build();
    this.client = client(this.connection);
    this.connection.onclose((reason) => this.#closed(reason));
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#wake();
    });
    session.onChange(() => {
      // Whoever connected with another key, or with none, has what that one may see.
      if (this.#isConnected()) void this.connection.stop();
      this.#wake();
    });
  }

  /** Does this now and at each connection that follows, until what is returned is called; and again after a while where it fails. */
  use(use: Use<C>): () => void {
    clearTimeout(this.#idle);
    this.#uses.set(use, { end: new AbortController(), failures: 0 });
    if (this.#isConnected()) this.#begin(use);
    else if (!this.#isRunning) void this.#run();
    return () => {
      this.#uses.get(use)?.end.abort();
      this.#uses.delete(use);
      if (this.#uses.size === 0) this.#idle = setTimeout(() => this.#release(), KEPT_MS);
    };
  }

  /** Follows a stream: opened anew at each connection, and after an end or an error of it. `open` is called each time, so that it can
   *  say what was seen last. */
  follow<T>(open: (client: C) => IStreamResult<T>, take: (item: T) => void): () => void {
    return this.use(
      (client, signal) =>
        new Promise<void>((_, fail) => {
          const ended = (): void => fail(new Error("the stream has ended"));
          const next = (item: T): void => {
            if (!signal.aborted) take(item);
          };
          const reading = open(client).subscribe({ next, error: fail, complete: ended });
          signal.addEventListener("abort", () => reading.dispose());
        }),
    );
  }

  #isConnected(): boolean {
    return this.connection.state === HubConnectionState.Connected;
  }

  #begin(use: Use<C>): void {
    const turn = this.#uses.get(use);
    if (!turn) return;
    turn.end.abort();
    turn.end = new AbortController();
    const { signal } = turn.end;
    const begun = Date.now();
    const failed = (): void => {
      turn.failures = Date.now() - begun > RECOVERED_MS ? 0 : turn.failures + 1;
      // Where the connection has ended, the next one begins it anew.
      const again = (): void => {
        if (!signal.aborted && this.#isConnected()) this.#begin(use);
      };
      const timer = setTimeout(again, wait(turn.failures));
      signal.addEventListener("abort", () => clearTimeout(timer));
    };
    Promise.resolve()
      .then(() => use(this.client, signal))
      .catch(failed);
  }

  #release(): void {
    if (this.#uses.size > 0) return;
    void this.connection.stop();
    this.#wake();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#set("connecting");
    let failures = 0;
    while (this.#uses.size > 0) {
      const closed = new Promise<Error | undefined>((resolve) => {
        this.#closed = resolve;
      });
      try {
        await this.connection.start();
        failures = 0;
        this.#set("connected");
        for (const use of [...this.#uses.keys()]) this.#begin(use);
        const reason = await closed;
        for (const { end } of this.#uses.values()) end.abort();
        this.#set("reconnecting", reason?.message);
      } catch (error: unknown) {
        failures += 1;
        this.#failed(error);
      }
      if (this.#uses.size > 0) await this.#pause(failures);
    }
    this.#set("idle");
    this.#isRunning = false;
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const status = statusOf(error);
    if (status === 401 || status === 403) {
      session.refused(this.#usedKey);
      this.#set("refused", reason);
      return;
    }
    const { state, since } = this.status.value;
    const isLong = Date.now() - since > LOST_AFTER_MS;
    this.#set(state === "refused" ? "reconnecting" : isLong ? "lost" : state, reason);
  }

  async #pause(failures: number): Promise<void> {
    // Another key is needed, and guesses are counted.
    const isRefused = this.status.value.state === "refused";
    await new Promise<void>((resolve) => {
      const timer = isRefused ? undefined : setTimeout(resolve, wait(failures));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  #set(state: Connectedness, reason?: string): void {
    const { state: before, since: old } = this.status.value;
    // Lost is what is reconnecting for long: the time goes on.
    const isSame = before === state || (state === "lost" && (before === "reconnecting" || before === "connecting"));
    const status = { hub: this.#name, state, since: isSame ? old : Date.now() };
    this.status.value = reason === undefined ? status : { ...status, reason };
  }
}

/** The status that a connection was refused with. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpError) return error.statusCode;
  const found = /Status code '(\d{3})'/.exec(error instanceof Error ? error.message : "");
  return found ? Number(found[1]) : undefined;
}

export const hubs = {
  market: new Hub("market", (connection) => new MarketClient(connection)),
  signals: new Hub("signals", (connection) => new SignalsClient(connection)),
  system: new Hub("system", (connection) => new SystemClient(connection)),
  commands: new Hub("commands", (connection) => new CommandsClient(connection)),
} as const;
