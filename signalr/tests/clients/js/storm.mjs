// Follows a journal, and puts numbers, over links that are disturbed: `node storm.mjs PACKAGES URL CONTROL`.
import { createRequire } from "node:module";
import { until } from "./expect.mjs";

const [packages, url, control] = process.argv.slice(2);
const require = createRequire(`${packages}/package.json`);
const signalR = require("@microsoft/signalr");

const connection = new signalR.HubConnectionBuilder()
  .withUrl(url)
  .configureLogging(signalR.LogLevel.None)
  .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 50 })
  .withStatefulReconnect()
  .build();

const problems = [];
let seen = 0; // the application's cursor
let put = 0; // the last number that was sent
let anew = 0;
let isFollowing = false;

connection.on("Entry", (number, text) => {
  if (number !== seen + 1) problems.push(`entry ${number} after ${seen}`);
  if (!text.startsWith(`entry ${number},`)) problems.push(`entry ${number} says ${text}`);
  seen = number;
});
connection.onreconnecting(() => (isFollowing = false));
connection.onreconnected(() => {
  anew += 1;
  void follow();
});
process.on("unhandledRejection", (error) => problems.push(`unhandled rejection: ${error?.stack ?? error}`));

/** From the cursor on; the numbers go on after the last one that arrived. */
async function follow() {
  try {
    put = await connection.invoke("Follow", seen);
    isFollowing = true;
  } catch (error) {
    if (connection.state === "Connected") problems.push(`Follow: ${error}`);
  }
}

const asked = async (path) => Number(await (await fetch(control + path)).text());

// The client connects again by itself, but only where it was connected once.
for (const deadline = Date.now() + 10_000; connection.state !== "Connected"; ) {
  await connection.start().catch((error) => {
    if (Date.now() > deadline) throw error;
  });
}
await follow();
const putting = setInterval(() => {
  if (!isFollowing || connection.state !== "Connected") return;
  put += 1;
  // What fails is put again after the next Follow.
  connection.send("Put", put).catch(() => {});
}, 2);

let entries = 0;
while (entries === 0) {
  await new Promise((resolve) => setTimeout(resolve, 200));
  entries = await asked("/end");
}
clearInterval(putting);
let arrived = -1;
try {
  await until(() => seen === entries && isFollowing, `entry ${entries}, ${seen} came`);
  for (const deadline = Date.now() + 5_000; arrived !== put && Date.now() < deadline; ) arrived = await asked("/put");
  if (arrived !== put) problems.push(`${put} was put, ${arrived} arrived`);
} catch (error) {
  problems.push(error.message);
}
await connection.stop();
problems.slice(0, 20).forEach((problem) => console.log(problem));
console.log(`${seen} entries, ${put} numbers, ${anew} times anew`);
process.exit(problems.length === 0 ? 0 : 1);
