// The market page for a long time: long tasks after loading, the share of a core that scripts take, and memory.
import { base, check, given, run, until } from "./browser.mjs";

const { replay, seconds } = given;
const INSTRUMENTS = 200;
/** What loading costs is not counted. */
const SETTLED_MS = 10_000;

await run(async ({ page, browser }) => {
  const session = await browser.newCDPSession(page);
  // By the thread's own time: what other programs take is not the page's.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.addInitScript(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => list.getEntries().forEach(({ startTime, duration }) => window.longTasks.push({ startTime, duration }))).observe({ type: "longtask" });
  });
  let quotes = 0;
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => (quotes += String(payload).split('"version"').length - 1)));
  await page.goto(`${base}/#/market/${encodeURIComponent(`replay/${replay}`)}/S00000`);
  await page.getByText(`${INSTRUMENTS} instruments`).waitFor();
  await page.waitForTimeout(SETTLED_MS);

  const heap = async () => {
    await session.send("HeapProfiler.collectGarbage");
    return (await metrics(session)).JSHeapUsedSize / 1e6;
  };
  const heaps = [await heap()];
  const settled = await page.evaluate(() => performance.now());
  const [before, quotesBefore, began] = [await metrics(session), quotes, Date.now()];
  await page.waitForTimeout(seconds * 500);
  // Collecting garbage holds the page up, which is this script's doing.
  const collecting = await page.evaluate(() => performance.now());
  heaps.push(await heap());
  await page.waitForTimeout(seconds * 500);
  const elapsed = (Date.now() - began) / 1000;
  const after = await metrics(session);
  const collected = [settled, collecting].map((at) => [at - 500, at + 500]);
  const longTasks = (await page.evaluate(() => window.longTasks)).filter(({ startTime }) => startTime > settled && !collected.some(([from, to]) => startTime > from && startTime < to));
  heaps.push(await heap());

  const share = (name) => ((after[name] - before[name]) / elapsed) * 100;
  const rate = (quotes - quotesBefore) / elapsed / INSTRUMENTS;
  const long = longTasks.filter(({ duration }) => duration > 50).map(({ duration }) => Math.round(duration));
  console.log(`${rate.toFixed(1)} updates/s of each of ${INSTRUMENTS} instruments for ${elapsed.toFixed(0)} s`);
  console.log(`scripting ${share("ScriptDuration").toFixed(1)} %, layout and style ${(share("LayoutDuration") + share("RecalcStyleDuration")).toFixed(1)} %, all tasks ${share("TaskDuration").toFixed(1)} % of a core`);
  console.log(`long tasks: ${long.length === 0 ? "none" : long.join(", ") + " ms"}; heap ${heaps.map((mb) => mb.toFixed(1)).join(" then ")} MB`);
  check(rate > 15, `only ${rate.toFixed(1)} updates/s came`);
  check(long.length === 0, "a task took longer than 50 ms");
  check(share("ScriptDuration") < 30, "scripts took 30 % of a core or more");
  // What has come since is some signals and candles.
  check(heaps[2] < heaps[1] * 1.2 + 1, "memory grows");
  await until("prices that still move", async () => {
    const line = page.locator(".instruments .line").first();
    const shown = await line.textContent();
    await page.waitForTimeout(300);
    return shown !== (await line.textContent());
  });
});

async function metrics(session) {
  const { metrics: all } = await session.send("Performance.getMetrics");
  return Object.fromEntries(all.map(({ name, value }) => [name, value]));
}
