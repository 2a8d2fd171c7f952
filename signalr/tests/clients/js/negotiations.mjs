// How client and server find a transport, and find each other again.
import { sameAs, until } from "./expect.mjs";

export function negotiations(environment, connecting) {
  const { signalR, isNode, base } = environment;
  const json = connecting(environment, undefined, "json");
  const sockets = connecting(environment, "WebSockets", "json");
  const messagepack = connecting(environment, undefined, "messagepack");
  const transportIs = (name) => async (connection) => sameAs(await connection.invoke("GetActiveTransportName"), name);
  const redirected = `/redirect?numRedirects=0&baseUrl=${base}`;
  const tests = [
    ["JSON goes by Server-Sent Events without WebSockets", json("/testhub-nowebsockets", transportIs("ServerSentEvents"))],
    ["MessagePack skips Server-Sent Events", messagepack("/testhub-nowebsockets", transportIs("LongPolling"))],
    ["MessagePack over Server-Sent Events is refused", async () => {
      const connection = connecting(environment, "ServerSentEvents", "messagepack").build("/testhub");
      const error = await connection.start().then(() => undefined, (error) => error);
      if (!`${error}`.includes("does not support Binary")) throw new Error(`it says ${error}`);
    }],
    ["a client is redirected, also when it comes again", json(redirected, async (connection) => {
      const before = await connection.invoke("GetNumRedirects");
      const id = connection.connectionId;
      sameAs(await connection.invoke("GetCallerConnectionId"), id);
      connection.serverTimeout();
      await until(() => connection.state === "Connected" && connection.connectionId !== id, "the reconnect");
      sameAs(await connection.invoke("GetCallerConnectionId"), connection.connectionId);
      sameAs((await connection.invoke("GetNumRedirects")) > before, true);
    }, { reconnect: [0, 100] })],
    ["without negotiation there is no id, also after a reconnect", sockets("/testhub", async (connection) => {
      sameAs(connection.connectionId, null);
      const reconnected = new Promise((resolve) => connection.onreconnected((id) => resolve([id])));
      connection.serverTimeout();
      sameAs(await reconnected, [undefined]);
      sameAs(await connection.invoke("Echo", "x"), "x");
    }, { skipNegotiation: true, reconnect: [0, 100] })],
    ["a refused negotiation is told", async () => {
      const error = await json.build("/bad-negotiate").start().then(() => undefined, (error) => error);
      if (!`${error}`.includes("400")) throw new Error(`it says ${error}`);
    }],
    ["a hub that is not there", async () => {
      const error = await json.build("/nowhere").start().then(() => undefined, (error) => error);
      if (!`${error}`.includes("404")) throw new Error(`it says ${error}`);
    }],
    ["long polling is deleted, and its poll ends", async () => {
      const requests = [];
      const inner = new signalR.DefaultHttpClient({ log() {} });
      class Watched extends signalR.HttpClient {
        getCookieString(url) {
          return inner.getCookieString(url);
        }
        send(request) {
          const answer = inner.send(request);
          requests.push({ method: request.method, ended: answer.catch((error) => error) });
          return answer;
        }
      }
      const connection = connecting(environment, "LongPolling", "json").build("/testhub", { httpClient: new Watched() });
      await connection.start();
      await connection.stop();
      for (const { ended } of requests) await ended;
      sameAs(requests.some(({ method }) => method === "DELETE"), true);
    }],
  ];
  if (!isNode) tests.push(...inBrowsers(environment, connecting, transportIs));
  return tests.map(([name, run]) => ({ name, run }));
}

function inBrowsers(environment, connecting, transportIs) {
  return [
    ["a browser without WebSockets falls back", async () => {
      class None {
        constructor() {
          throw new Error("there are none");
        }
      }
      const json = connecting(environment, undefined, "json");
      await json("/testhub", transportIs("ServerSentEvents"), { WebSocket: None })();
    }],
  ];
}
