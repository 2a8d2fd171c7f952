// Runs the suite in Node: `node node.mjs PACKAGES URL [FILTER]`. A line for each test that failed, and a last one with the count.
import { createRequire } from "node:module";
import { runAll, Subjects } from "./expect.mjs";
import { tests } from "./suite.mjs";

const [packages, base, filter = ""] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const signalR = require("@microsoft/signalr");
const { MessagePackHubProtocol } = require("@microsoft/signalr-protocol-msgpack");
Subjects.create = signalR.Subject;

const environment = { signalR, MessagePackHubProtocol, base, isNode: true, version: signalR.VERSION.split(".").slice(0, 2).join(".") };
const chosen = tests(environment).filter(({ name }) => name.includes(filter));
let failures = 0;
// What the client still sends of an upload when it is stopped fails in a promise that it gives to nobody.
const stopped = /Cannot send data if the connection is not in the 'Connected' State|Cannot send until the transport is connected|No Connection with that ID/;
process.on("unhandledRejection", (error) => {
  if (stopped.test(error?.message)) return;
  failures += 1;
  console.log(`not ok: unhandled rejection: ${error?.stack ?? error}`);
});
await runAll(chosen, (name, error) => {
  if (!error) return;
  failures += 1;
  console.log(`not ok: ${name}: ${error.message ?? error}`);
});
console.log(`${chosen.length - failures} of ${chosen.length} passed`);
process.exit(failures === 0 ? 0 : 1);
