// What differs between transports, whatever the protocol.
import { sameAs, until } from "./expect.mjs";

export function acrossTransports(environment, connecting) {
  return ["WebSockets", "ServerSentEvents", "LongPolling"].flatMap((transport) => {
    const connect = connecting(environment, transport, "json");
    const tests = [...tokens(environment, connect), ...headers(environment, connect, transport), ...ends(connect, transport)];
    return tests.map(([name, run]) => ({ name: `${transport}: ${name}`, run }));
  });
}

function tokens({ base }, connect) {
  const fetched = async () => (await fetch(`${base}/generateJwtToken`)).text();
  const echoes = async (connection) => sameAs(await connection.invoke("Echo", "x"), "x");
  return [
    ["a token lets in", async () => {
      const token = await fetched();
      await connect("/authorizedhub", echoes, { accessTokenFactory: () => token })();
    }],
    ["a token that has to be waited for lets in", connect("/authorizedhub", echoes, { accessTokenFactory: fetched })],
    ["without a token there is no connection", async () => {
      const error = await connect.build("/authorizedhub").start().then(() => undefined, (error) => error);
      if (!`${error}`.includes("401")) throw new Error(`it says ${error}`);
    }],
    ["users and roles", connect("/hubs/authorized", async (connection) => {
      sameAs(await connection.invoke("WhoAmI"), ["root", "root"]);
      sameAs(await connection.invoke("AdminOnly"), "admin");
    }, { accessTokenFactory: () => "root-admin" })],
    ["a connection ends with its token, and another one begins", async () => {
      let asked = 0;
      const options = { reconnect: [0, 100, 100], accessTokenFactory: () => ((asked += 1) < 4 ? "alice-brief" : "alice") };
      await connect("/hubs/expiring", async (connection) => {
        const id = connection.connectionId;
        // One that lasts: the others end with their tokens, maybe while the test stops them.
        const isNew = () => asked >= 4 && connection.state === "Connected" && connection.connectionId !== id;
        await until(isNew, "a new connection");
      }, options)();
    }],
  ];
}

function headers({ isNode, version }, connect, transport) {
  // Browsers let nobody set headers of sockets and of event sources.
  const isSet = isNode || transport === "LongPolling";
  const own = { "X-HEADER": "VALUE", ...(isNode ? { "User-Agent": "Custom Agent" } : {}) };
  return [
    ["the client names itself", connect("/testhub", async (connection) => {
      const header = await connection.invoke("GetHeader", isNode ? "User-Agent" : "X-SignalR-User-Agent");
      sameAs(header?.startsWith(`Microsoft SignalR/${version}`) ?? false, isSet);
    })],
    ["headers of the application arrive", connect("/testhub", async (connection) => {
      sameAs(await connection.invoke("GetHeader", "X-HEADER"), isSet ? "VALUE" : null);
      if (isNode) sameAs(await connection.invoke("GetHeader", "User-Agent"), "Custom Agent");
    }, { headers: own })],
    // Requests of polls have no body; clients before version 8 named a type for them, too.
    ["the request that connects names no type", connect("/testhub", async (connection) => {
      sameAs(await connection.invoke("GetContentTypeHeader"), null);
    })],
    ["cookies are kept", connect("/testhub", async (connection) => {
      sameAs(await connection.invoke("GetCookie", "testCookie"), "testValue");
      sameAs(await connection.invoke("GetCookie", "testCookie2"), "testValue2");
      sameAs(await connection.invoke("GetCookie", "expiredCookie"), null);
    })],
  ];
}

function ends(connect, transport) {
  const tests = [
    ["it connects again by itself", connect("/testhub", async (connection) => {
      const states = [];
      connection.onreconnecting(() => states.push("reconnecting"));
      connection.onreconnected((id) => states.push(id));
      const id = connection.connectionId;
      // As if nothing had been received for too long.
      connection.serverTimeout();
      await until(() => states.length === 2, "the reconnect");
      sameAs(states[0], "reconnecting");
      sameAs(states[1] !== id && states[1] === (await connection.invoke("GetCallerConnectionId")), true);
    }, { reconnect: [0, 100] })],
    ["its address may change while it reconnects", async () => {
      const connection = connect.build("/testhub", { reconnect: [1000] });
      connection.onreconnecting(() => (connection.baseUrl = "http://elsewhere.example"));
      await connection.start();
      connection.serverTimeout();
      await until(() => connection.baseUrl === "http://elsewhere.example", "the reconnect");
      await connection.stop();
    }],
  ];
  if (transport !== "LongPolling") {
    tests.push(["a silent server is left", connect("/testhub", async (connection, closed) => {
      connection.serverTimeoutInMilliseconds = 1;
      await connection.invoke("Echo", "");
      sameAs((await closed)?.message, "Server timeout elapsed without receiving a message from the server.");
    })]);
  }
  return tests;
}
