// Links that are cut, and servers that start anew: `node links.mjs PACKAGES URL PROXIED CONTROL`. One test after the other, as each
// disturbs all connections.
import { createRequire } from "node:module";
import { all, runAll, sameAs, until } from "./expect.mjs";

const [packages, base, proxied, control, filter = ""] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const signalR = require("@microsoft/signalr");
const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");

const command = (path) => fetch(control + path);

function build(url, { transport = "WebSockets", protocol = "json", stateful = false, retries = [0, 100, 200, 400, 800, 1600, 3200, 3200] } = {}) {
  const builder = new signalR.HubConnectionBuilder()
    .withUrl(url, { transport: signalR.HttpTransportType[transport] })
    .configureLogging(signalR.LogLevel.None)
    .withHubProtocol(protocol === "json" ? new signalR.JsonHubProtocol() : new MessagePackHubProtocol())
    .withAutomaticReconnect(retries);
  if (stateful) builder.withStatefulReconnect();
  const connection = builder.build();
  const seen = { items: [], notes: [], reconnecting: 0, reconnected: [] };
  connection.on("Item", (item) => seen.items.push(item));
  connection.on("Noted", (note) => seen.notes.push(note));
  connection.onreconnecting(() => (seen.reconnecting += 1));
  connection.onreconnected((id) => seen.reconnected.push(id));
  return { connection, seen };
}

const upTo = (n) => Array.from({ length: n }, (_, number) => number);

/** A stateful connection through the proxy. */
const stateful = (protocol, run) => async () => {
  const { connection, seen } = build(`${proxied}/hubs/stateful`, { protocol, stateful: true });
  await connection.start();
  try {
    await run(connection, seen, await connection.invoke("MyId"));
  } finally {
    await connection.stop();
  }
};

/** The same connection as before, and nobody has noticed anything. */
async function sameConnection(connection, seen, id) {
  sameAs(await connection.invoke("MyId"), id);
  sameAs([seen.reconnecting, seen.reconnected], [0, []]);
}

const reattaching = ["json", "messagepack"].flatMap((protocol) =>
  [
    ["messages of the server", async (connection, seen, id) => {
      for (const part of upTo(5)) {
        const sent = connection.invoke("CallMany", 100);
        await command(part % 2 ? "/half-open" : "/cut");
        await sent;
        await connection.invoke("MyId"); // has come over a new socket
      }
      await until(() => seen.items.length >= 500, "all items");
      await sameConnection(connection, seen, id);
      sameAs(seen.items, upTo(5).flatMap(() => upTo(100)));
    }],
    ["calls of the client", async (connection, seen, id) => {
      const sent = upTo(300).map((n) => connection.send("Note", `${n}`));
      await command("/cut");
      await Promise.all(sent);
      await until(() => seen.notes.length >= 300, "all notes");
      await sameConnection(connection, seen, id);
      sameAs(seen.notes, upTo(300).map(String));
    }],
    ["a call that waits, and a stream", async (connection, seen, id) => {
      const slow = connection.invoke("Slow", 300);
      const stream = all(connection.stream("CountLater", 50));
      await command("/cut");
      sameAs([await slow, (await stream).length], [300, 50]);
      await sameConnection(connection, seen, id);
    }],
    ["a link that looks open to the server", async (connection, seen, id) => {
      await command("/half-open");
      sameAs(await connection.invoke("Add", 1, 2), 3);
      await sameConnection(connection, seen, id);
    }],
    ["no server for a while begins a new connection", async (connection, seen, id) => {
      await command("/refuse/1400"); // longer than a busy client takes to see the cut and come back once
      await until(() => seen.reconnected.length === 1, "a new connection");
      sameAs((await connection.invoke("MyId")) !== id, true);
      await connection.invoke("CallMany", 20);
      await until(() => seen.items.length === 20, "its items");
      await command("/cut");
      await connection.invoke("CallMany", 20);
      await until(() => seen.items.length === 40, "its items");
      sameAs(seen.items, [...upTo(20), ...upTo(20)]);
    }],
  ].map(([name, run]) => ({ name: `stateful ${protocol}: ${name}`, run: stateful(protocol, run) })),
);

const anew = ["WebSockets", "ServerSentEvents", "LongPolling"].map((transport) => ({
  name: `${transport}: a cut link begins a new connection`,
  run: async () => {
    const { connection, seen } = build(`${proxied}/hubs/test`, { transport });
    await connection.start();
    await command("/refuse/100");
    await until(() => seen.reconnected.length === 1, "a new connection");
    sameAs(await connection.invoke("Add", 1, 2), 3);
    await connection.stop();
  },
}));

const restart = {
  name: "a server that starts anew has all its clients back",
  run: async () => {
    const kinds = [
      { transport: "WebSockets" },
      { transport: "WebSockets", protocol: "messagepack" },
      { transport: "WebSockets", stateful: true },
      { transport: "ServerSentEvents" },
      { transport: "LongPolling" },
      { transport: "LongPolling", protocol: "messagepack" },
    ];
    const clients = kinds.map((kind) => build(`${base}/hubs/${kind.stateful ? "stateful" : "test"}`, kind));
    await Promise.all(clients.map(({ connection }) => connection.start()));
    await command("/restart");
    for (const [number, { connection, seen }] of clients.entries()) {
      await until(() => seen.reconnected.length === 1, `the new connection of ${JSON.stringify(kinds[number])}`);
      await connection.invoke("CallMany", 3);
      await until(() => seen.items.length === 3, "items");
      sameAs([seen.reconnecting, seen.items], [1, [0, 1, 2]]);
    }
    await Promise.all(clients.map(({ connection }) => connection.stop()));
  },
};

let failures = 0;
const failed = (name, error) => {
  if (!error) return;
  failures += 1;
  console.log(`not ok: ${name}: ${error.message ?? error}`);
};
process.on("unhandledRejection", (error) => failed("unhandled rejection", error));
await runAll([...reattaching, ...anew, restart].filter(({ name }) => name.includes(filter)), failed, { atOnce: 1 });
process.exit(failures === 0 ? 0 : 1);
