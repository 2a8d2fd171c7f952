// A program that uses the generated client: right uses run, wrong ones do not compile.
import { HubConnectionBuilder, LogLevel, Subject } from "@microsoft/signalr";
import { ChatClient, HubStream, type ChatEvents, type Message, type Mood, type Page, type Shape } from "./chat.js";

const url = process.argv[2] ?? "";

function same(actual: unknown, expected: unknown): void {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) throw new Error(`expected ${other}, got ${one}`);
}

async function failure(of: () => Promise<unknown>): Promise<string> {
  try {
    await of();
  } catch (error: unknown) {
    return error instanceof Error ? error.message : String(error);
  }
  return "none";
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function methods(client: ChatClient): Promise<void> {
  const page: Page<Message> = await client.history("tea", 1);
  same(page.items[0]?.messageId, 0);
  same((await client.history("tea")).items.length, 3);
  const mood: Mood | undefined = page.items[0]?.mood;
  same(mood, "neutral");
  same(page.items[0]?.attachments[0]?.size[1], 480);
  same(page.items[0]?.answers, undefined);
  same(await client.id(), client.connection.connectionId);
  const shape: Shape = { kind: "line", from: [0, 0], to: [1, 1] };
  same(await client.send_(shape, { list: [1, null] }), [shape, { list: [1, null] }]);
  same((await failure(() => client.fail("no"))).endsWith("HubException: no"), true);
}

async function streams(client: ChatClient): Promise<void> {
  const ticks: HubStream<number> = client.ticks(3, 0);
  same(await all(ticks), [0, 1, 2]);
  same(await all(ticks), [0, 1, 2]); // each reader calls anew
  let last = -1;
  for await (const number of client.ticks(1_000, 1)) {
    last = number;
    if (number === 2) break;
  }
  same(last, 2);
  const stop = new AbortController();
  const aborted = failure(() => all(client.ticks(1_000, 1).until(stop.signal)));
  stop.abort(new Error("stopped"));
  same(await aborted, "stopped");
  same(await failure(() => all(client.ticks(1, 1).until(stop.signal))), "stopped");
  const items: number[] = [];
  await new Promise<void>((resolve, reject) => {
    client.ticks(2, 0).subscribe({ next: (item) => items.push(item), error: reject, complete: resolve });
  });
  same(items, [0, 1]);
}

async function uploads(client: ChatClient): Promise<void> {
  same(await client.sum([1, 2, 3]), 6);
  const subject = new Subject<number>();
  const sum = client.sum(subject);
  subject.next(40);
  subject.next(2);
  subject.complete();
  same(await sum, 42);
  let isStopped = false;
  async function* endless(): AsyncGenerator<number> {
    try {
      for (;;) {
        yield 300_000;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } finally {
      isStopped = true;
    }
  }
  same((await failure(() => client.sum(endless()))).endsWith("enough"), true);
  for (const deadline = Date.now() + 10_000; !isStopped && Date.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  same(isStopped, true);
  async function* broken(): AsyncGenerator<number> {
    yield 1;
    throw new Error("broken");
  }
  same((await failure(() => client.sum(broken()))).endsWith("broken"), true);
  same(await all(client.shout("> ", ["a"], ["b", "c"])), ["> A", "> B", "> C"]);
}

async function events(client: ChatClient): Promise<void> {
  const said: string[] = [];
  const handler: ChatEvents["Said"] = (room, message) => {
    said.push(`${room}: ${message.text}`);
  };
  const joined: (number | null)[] = [];
  client.on("Said", handler);
  // A handler may return what it likes.
  const stop = client.on("user joined", (userName, age) => joined.push(userName.length, age));
  await client.say("tea", "one");
  client.off("Said", handler);
  stop();
  await client.say("tea", "two");
  client.on("Said", handler);
  client.off("Said");
  await client.send.say("tea", "three");
  await client.id();
  same(said, ["tea: one"]);
  same(joined, [3, null]);
}

async function questions(client: ChatClient): Promise<void> {
  const shapes: Shape[] = [];
  client.answer("Notify", (shape) => {
    shapes.push(shape);
  });
  client.answer("Confirm", () => false);
  const stop = client.answer("Confirm", async (question) => question.length > 2);
  same([await client.check("yes?"), await client.check("?")], [true, false]);
  same(shapes[0], { kind: "circle", radius: 1.5 });
  stop();
  same((await failure(() => client.check("yes?"))).length > 0, true);
}

/** Never called: what follows a comment has to be refused by the compiler. */
export function wrong(client: ChatClient): void {
  // @ts-expect-error a parameter is missing
  void client.say("tea");
  // @ts-expect-error a parameter is of another type
  void client.say("tea", 5);
  // @ts-expect-error there is one parameter too many
  void client.id("x");
  // @ts-expect-error the method has another name
  void client.Say("tea", "text");
  // @ts-expect-error the result is a number
  void client.sum([1]).then((sum: string) => sum);
  // @ts-expect-error items of a stream are numbers
  void all<string>(client.ticks(1, 1));
  // @ts-expect-error a text is no upload of texts
  client.shout("> ", "abc", []);
  // @ts-expect-error the items are numbers
  void client.sum(["1"]);
  // @ts-expect-error the subject has other items
  void client.sum(new Subject<string>());
  // @ts-expect-error a generator of other items
  void client.sum((async function* () { yield "x"; })());
  // @ts-expect-error there is no such event
  client.on("said", () => {});
  // @ts-expect-error a question is no event
  client.on("Confirm", () => true);
  // @ts-expect-error the handler wants another type
  client.on("Said", (room: number) => room);
  // @ts-expect-error the handler wants more than there is
  client.on("Said", (room, message, more) => [room, message, more]);
  // @ts-expect-error the age may be null
  client.on("user joined", (user, age) => age.toFixed());
  // @ts-expect-error the answer is of another type
  client.answer("Confirm", () => "yes");
  // @ts-expect-error there is no answer
  client.answer("Confirm", () => {});
  // @ts-expect-error a stream is not sent without an answer
  void client.send.ticks(1, 1);
  // @ts-expect-error a field is missing
  const circle: Shape = { kind: "circle" };
  // @ts-expect-error there is no such mood
  const mood: Mood = "sad";
  void [circle, mood];
}

const connection = new HubConnectionBuilder().withUrl(url).configureLogging(LogLevel.Error).build();
const client = new ChatClient(connection);
await connection.start();
for (const part of [methods, streams, uploads, events, questions]) await part(client);
await connection.stop();
