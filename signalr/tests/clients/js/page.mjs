// The suite as a page's script.
import * as signalR from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { runAll, Subjects } from "./expect.mjs";
import { tests } from "./suite.mjs";

window.runSuite = async (base) => {
  Subjects.create = signalR.Subject;
  const version = signalR.VERSION.split(".").slice(0, 2).join(".");
  const chosen = tests({ signalR, MessagePackHubProtocol, base, isNode: false, version });
  const lines = [];
  const ended = (name, error) => error && lines.push(`not ok: ${name}: ${error.message ?? error}`);
  // Browsers hold six connections to one server, of which streams of events and polls keep one each; sockets do not count.
  const sockets = chosen.filter(({ name }) => name.startsWith("WebSockets"));
  const others = chosen.filter((test) => !sockets.includes(test));
  await Promise.all([runAll(sockets, ended, { atOnce: 12 }), runAll(others, ended, { atOnce: 2 })]);
  const failures = lines.length;
  lines.push(`${chosen.length - failures} of ${chosen.length} passed`);
  return { lines, failures };
};
