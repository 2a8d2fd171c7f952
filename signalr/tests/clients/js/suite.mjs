// What the official JavaScript client does with the server, in Node and in browsers: the matrix of ASP.NET Core's functional
// tests, and more of the recorded hub. `tests` gives all tests for one version of the client as { name, run }.
import { all, sameAs, Subjects, until, withText } from "./expect.mjs";
import { acrossTransports } from "./transports.mjs";
import { negotiations } from "./negotiations.mjs";

/** Transports and protocols that exist: Server-Sent Events carry text only. */
const combinations = [
  ["WebSockets", "json"],
  ["WebSockets", "messagepack"],
  ["ServerSentEvents", "json"],
  ["LongPolling", "json"],
  ["LongPolling", "messagepack"],
];

export function tests(environment) {
  const each = combinations.flatMap(([transport, protocol]) => {
    const connect = connecting(environment, transport, protocol);
    const group = `${transport} ${protocol}`;
    return [...calls(connect, protocol), ...streams(connect), ...uploads(connect), ...messages(connect, environment)].map(
      ([name, run]) => ({ name: `${group}: ${name}`, run }),
    );
  });
  return [...each, ...acrossTransports(environment, connecting), ...negotiations(environment, connecting)];
}

/** Runs a test with a connection that is started before and stopped after it. */
function connecting({ signalR, MessagePackHubProtocol, base }, transport, protocol) {
  const build = (path, { reconnect, ...options } = {}) => {
    const builder = new signalR.HubConnectionBuilder()
      .withUrl(path.startsWith("http") ? path : base + path, { transport: transport && signalR.HttpTransportType[transport], ...options })
      .configureLogging(signalR.LogLevel.None)
      .withHubProtocol(protocol === "messagepack" ? new MessagePackHubProtocol() : new signalR.JsonHubProtocol());
    if (reconnect) builder.withAutomaticReconnect(reconnect);
    return builder.build();
  };
  const connect = (path, run, options) => async () => {
    const connection = build(path, options);
    const closed = new Promise((resolve) => connection.onclose(resolve));
    try {
      await connection.start();
      await run(connection, closed);
    } finally {
      await connection.stop();
    }
  };
  return Object.assign(connect, { build });
}

const failed = (method) => `An unexpected error occurred invoking '${method}' on the server.`;

function calls(connect, protocol) {
  const bytes = (json, ...binary) => (protocol === "json" ? json : new Uint8Array(binary));
  const time = (text) => (protocol === "json" ? text : new Date(text));
  const complex = {
    String: "Hello, World!",
    IntArray: [1, 2, 3, 255],
    ByteArray: bytes("aGVsbG8=", 0x68, 0x65, 0x6c, 0x6c, 0x6f),
    GUID: "00010203-0405-0607-0706-050403020100",
    DateTime: time("2002-04-01T10:20:15Z"),
  };
  return [
    ["a call has its result", connect("/testhub", async (connection) => {
      sameAs(await connection.invoke("Echo", "你好，世界！"), "你好，世界！");
      sameAs(await connection.invoke("eCHO", "any case"), "any case");
    })],
    ["a call that nobody waits for is sent", connect("/testhub", (connection) => connection.send("Echo", "x"))],
    ["objects go both ways", connect("/testhub", async (connection) => {
      const received = new Promise((resolve) => connection.on("CustomObject", resolve));
      await connection.send("SendCustomObject", { Name: "test", Value: 42 });
      sameAs(await received, { Name: "test", Value: 42 });
    })],
    ["values of several types go both ways", connect("/testhub", async (connection) => {
      sameAs(await connection.invoke("EchoComplexObject", complex), complex);
    })],
    ["values of several types are received", connect("/testhub", async (connection) => {
      sameAs(await connection.invoke("SendComplexObject"), {
        String: "hello world",
        IntArray: [1, 2, 3],
        ByteArray: bytes("AQID", 1, 2, 3),
        GUID: "00010203-0405-0607-0706-050403020100",
        DateTime: time("2000-01-01T00:00:00Z"),
      });
    })],
    ["errors of methods have their texts", connect("/testhub", async (connection) => {
      await withText(connection.invoke("ThrowException", "It."), `${failed("ThrowException")} InvalidOperationException: It.`);
      for (const method of ["EmptyStream", "Stream"]) {
        const text = `The client attempted to invoke the streaming '${method}' method with a non-streaming invocation.`;
        await withText(connection.invoke(method), text);
      }
      const text = "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.";
      await withText(all(connection.stream("Echo", "42")), text);
    })],
    ["only deliberate errors are known", connect("/hubs/test", async (connection) => {
      await withText(connection.invoke("Throw", "secret"), failed("Throw"));
      await withText(connection.invoke("ThrowHub", "known"), `${failed("ThrowHub")} HubException: known`);
      const unknown = "Failed to invoke 'Nowhere' due to an error on the server. HubException: Method does not exist.";
      await withText(connection.invoke("Nowhere"), unknown);
      await withText(connection.invoke("Add", 1), "Failed to invoke 'Add' due to an error on the server.");
      await withText(connection.invoke("AdminOnly"), "Failed to invoke 'AdminOnly' because user is unauthorized");
      sameAs(await connection.invoke("Add", 1, 2), 3);
    })],
    ["a long text comes whole", connect("/hubs/test", async (connection) => {
      sameAs((await connection.invoke("GiveBig", 60_000)).length, 60_000);
      const long = "ü".repeat(15_000);
      sameAs(await connection.invoke("EchoString", long), long);
    })],
    ["it starts again after it was stopped, with its handlers", async () => {
      const connection = connect.build("/testhub");
      const received = [];
      connection.on("mesSage", (text) => received.push(text));
      for (const text of ["first", "second"]) {
        await connection.start();
        await connection.invoke("InvokeWithString", text);
        await until(() => received.includes(text), "the message");
        await connection.stop();
      }
      sameAs(received, ["first", "second"]);
    }],
    ["an abort closes it", connect("/hubs/test", async (connection, closed) => {
      connection.invoke("Abort").catch(() => {});
      await closed;
      sameAs(connection.state, "Disconnected");
    }, { reconnect: [0] })],
  ];
}

function streams(connect) {
  return [
    ["a stream has its items", connect("/testhub", async (connection) => {
      sameAs(await all(connection.stream("Stream")), ["a", "b", "c"]);
      sameAs(await all(connection.stream("EmptyStream")), []);
    })],
    ["streams run beside each other", connect("/hubs/test", async (connection) => {
      const counts = [1, 10, 100].map((n) => all(connection.stream("CountLater", n)));
      sameAs((await Promise.all(counts)).map((items) => items.length), [1, 10, 100]);
      sameAs(await all(connection.stream("Mixed")), ["a", null, "line\nbreak"]);
    })],
    ["a stream is cancelled", connect("/testhub", async (connection) => {
      const cancelled = new Promise((resolve) => connection.on("StreamCanceled", resolve));
      const ignored = { next() {}, error() {}, complete() {} };
      connection.stream("InfiniteStream").subscribe(ignored).dispose();
      await cancelled;
      sameAs(await connection.invoke("Echo", "lives"), "lives");
    })],
    ["a stream is cancelled after items", connect("/hubs/test", async (connection) => {
      const items = [];
      await new Promise((resolve, reject) => {
        const reading = connection.stream("Endless").subscribe({
          next(item) {
            items.push(item);
            if (items.length === 2) resolve(reading.dispose());
          },
          error: reject,
          complete: reject,
        });
      });
      sameAs(await connection.invoke("Add", 1, 1), 2);
      sameAs(items, [0, 1]);
    })],
    ["errors of streams have their texts", connect("/testhub", async (connection) => {
      const text = `${failed("StreamThrowException")} InvalidOperationException: An error occurred.`;
      await withText(all(connection.stream("StreamThrowException", "An error occurred.")), text);
    })],
    ["a stream fails after its items", connect("/hubs/test", async (connection) => {
      const items = [];
      const text = "An error occurred on the server while streaming results.";
      await withText(all(connection.stream("CountThenThrow", 3), items), text);
      sameAs(items, [0, 1, 2]);
      const deliberate = `${text} HubException: deliberate in the stream`;
      await withText(all(connection.stream("CountThenThrowHub", 1)), deliberate);
    })],
  ];
}

function uploads(connect) {
  return [
    ["an upload is read", connect("/testhub", async (connection) => {
      const subject = Subjects.of();
      const result = connection.invoke("StreamingConcat", subject);
      for (const text of ["Hello ", "world", "!"]) subject.next(text);
      subject.complete();
      sameAs(await result, "Hello world!");
    })],
    ["an upload's error reaches the method", connect("/testhub", async (connection) => {
      const subject = Subjects.of();
      const result = connection.invoke("StreamingConcat", subject);
      subject.next("Hello ");
      subject.error(new Error("Something bad"));
      await withText(result, `${failed("StreamingConcat")} HubException: Something bad`);
    })],
    ["two uploads beside arguments", connect("/hubs/test", async (connection) => {
      const [numbers, texts] = [Subjects.of(), Subjects.of()];
      const result = connection.invoke("Zip", "label", numbers, 2, texts);
      for (const number of [1, 2, 3]) {
        texts.next(`t${number}`);
        numbers.next(number);
      }
      numbers.complete();
      texts.complete();
      sameAs(await result, "label 2 4 6 t1 t2 t3");
    })],
    ["an upload becomes a stream", connect("/hubs/test", async (connection) => {
      const subject = Subjects.of();
      const doubled = all(connection.stream("Double", subject));
      for (let number = 0; number < 30; number += 1) subject.next(number);
      subject.complete();
      sameAs((await doubled).at(-1), 58);
    })],
    ["what is uploaded after the method's end is dropped", connect("/hubs/test", async (connection) => {
      const subject = Subjects.of();
      const result = connection.invoke("TakeOne", subject);
      for (let number = 1; number < 40; number += 1) subject.next(number);
      subject.complete();
      sameAs(await result, 1);
      sameAs(await connection.invoke("Add", 1, 1), 2);
    })],
    ["an upload with nobody waiting", connect("/hubs/test", async (connection) => {
      const received = new Promise((resolve) => connection.on("Uploaded", (label, sum) => resolve([label, sum])));
      const subject = Subjects.of();
      await connection.send("Upload", "sent", subject);
      for (const number of [1, 2, 3]) subject.next(number);
      subject.complete();
      sameAs(await received, ["sent", 6]);
    })],
  ];
}

function messages(connect, { base }) {
  const receiving = (connection, event) => {
    const received = [];
    connection.on(event, (text) => received.push(text));
    return received;
  };
  return [
    ["many messages come in order", connect("/hubs/test", async (connection) => {
      const received = receiving(connection, "Item");
      await connection.invoke("CallMany", 200);
      await until(() => received.length === 200, "all messages");
      sameAs(received, Array.from({ length: 200 }, (_, number) => number));
    })],
    ["a message without arguments", connect("/hubs/test", async (connection) => {
      const received = new Promise((resolve) => connection.on("Tick", (...parameters) => resolve(parameters)));
      await connection.send("CallNoArguments");
      sameAs(await received, []);
    })],
    ["a client answers", connect("/testhub", async (connection) => {
      connection.on("Result", async (text) => `${text} answered`);
      connection.on("Ask", async (text) => `${text} answered`);
      const id = await connection.invoke("GetCallerConnectionId");
      const response = await fetch(`${base}/clientresult/${id}`);
      sameAs(await response.text(), "input answered");
    })],
    ["a client answers while its call waits", connect("/hubs/test", async (connection) => {
      connection.on("Ask", (question) => question.toUpperCase());
      sameAs(await connection.invoke("AskCaller", "what?"), "WHAT?");
      connection.off("Ask");
      const text = await connection.invoke("AskCaller", "what?");
      if (!text.includes("Client didn't provide a result.")) throw new Error(text);
      connection.on("Ask", () => {
        throw new Error("I will not");
      });
      if (!(await connection.invoke("AskCaller", "what?")).includes("I will not")) throw new Error("no error");
    })],
    ["groups", connect("/hubs/test", async (one) => {
      await connect("/hubs/test", async (other) => {
        const group = `group of ${await one.invoke("MyId")}`;
        const [first, second] = [receiving(one, "FromGroup"), receiving(other, "FromGroup")];
        for (const connection of [one, other]) await connection.invoke("Join", group);
        await one.invoke("CallGroup", group, "to both");
        await one.invoke("CallOthersInGroup", group, "to the other");
        await until(() => first.length === 1 && second.length === 2, "the messages");
        await other.invoke("Leave", group);
        await one.invoke("CallGroup", group, "to one");
        await until(() => first.length === 2, "the last message");
        sameAs(await other.invoke("Add", 1, 1), 2);
        sameAs([first, second], [["to both", "to one"], ["to both", "to the other"]]);
      })();
    })],
    ["users, and all others", connect("/hubs/test", async (one) => {
      const user = `user${Math.random().toString(36).slice(2)}`;
      await connect("/hubs/test", async (other) => {
        const text = `from ${await one.invoke("MyId")}`;
        const atUser = receiving(other, "FromUser");
        const [atOne, atOther] = [receiving(one, "FromOthers"), receiving(other, "FromOthers")];
        await one.invoke("CallUser", (await other.invoke("WhoAmI"))[0], text);
        await one.invoke("CallOthers", text);
        await until(() => atUser.includes(text) && atOther.includes(text), "both");
        sameAs(await one.invoke("Add", 1, 1), 2);
        sameAs(atOne.includes(text), false);
      }, { accessTokenFactory: () => user })();
    })],
  ];
}
