// Every page: no serious finding of axe-core in light and dark, nothing off-screen on a phone, the first paint within a second,
// nothing asked for elsewhere; and pictures, where ORCHARD_TEST_SCREENSHOTS names a folder.
import { readFileSync } from "node:fs";
import { base, check, given, picture, pictures, require, run } from "./browser.mjs";

const { replays, failed, signal } = given;
const source = encodeURIComponent(`replay/${replays[0]}`);
const PAGES = {
  overview: "#/",
  market: `#/market/${source}/BTCUSDT`,
  strategies: "#/strategies",
  deploy: "#/strategies?deploy=apple",
  strategy: "#/strategies/trend",
  replays: "#/replays",
  "new-replay": `#/replays?new=1&like=${replays[0]}`,
  replay: `#/replays/${replays[0]}`,
  compare: `#/replays?compare=${replays.join(",")}`,
  signals: "#/signals",
  signal: `#/signals/${signal.run}/${signal.strategy}/${signal.shard}/${signal.seq}/${signal.n}`,
  commands: "#/commands",
  command: `#/commands/${failed}`,
  errors: "#/errors",
  system: "#/system",
};
const SIZES = { phone: { width: 390, height: 844 }, tablet: { width: 1024, height: 768 }, desktop: { width: 1600, height: 1000 } };
/** The first paint comes within this time, in one of so many loads. */
const PAINTED_MS = 1_000;
const MOST_LOADS = 5;
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const found = [];

// The page's own policy lets no script in that is not the gateway's; axe-core is let in for the test.
await run(async ({ page }) => {
  const foreign = [];
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(base)) foreign.push(request.url());
  });
  await page.goto(base);
  await firstPaint(page);
  // One of each size and both colours are looked at; pictures are taken of all.
  const looks = [["desktop", "light"], ["phone", "dark"]];
  const all = Object.keys(SIZES).flatMap((size) => ["light", "dark"].map((colours) => [size, colours]));
  for (const [size, colours] of pictures ? all : looks) {
    await page.emulateMedia({ colorScheme: colours });
    await page.setViewportSize(SIZES[size]);
    const isLookedAt = looks.some(([one, other]) => one === size && other === colours);
    for (const [name, hash] of Object.entries(PAGES)) await look(page, name, hash, size, colours, isLookedAt);
  }
  check(foreign.length === 0, `asked for elsewhere: ${foreign}`);
  check(found.length === 0, found.join("\n"));
}, { bypassCSP: true });

async function look(page, name, hash, size, colours, isLookedAt) {
  // Another hash alone is no load: what was shown before would be looked at.
  await page.goto("about:blank");
  await page.goto(`${base}/${hash}`);
  await settled(page);
  if (isLookedAt) {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, impact, help, nodes } of violations) {
      if (impact !== "serious" && impact !== "critical") continue;
      found.push(`${name} (${size}, ${colours}): ${id}: ${help}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(" | ")}`);
    }
    const wide = await page.evaluate(() => [document.documentElement, document.querySelector("main")].map((one) => one.scrollWidth - one.clientWidth));
    if (Math.max(...wide) > 0) found.push(`${name} (${size}): ${Math.max(...wide)} px are off-screen`);
  }
  await picture(page, `${name}-${size}-${colours}`);
}

/** Nothing is being loaded any more; charts have had their frame. */
async function settled(page) {
  await page.locator("main h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector("main .loading"), undefined, { timeout: 10_000 }).catch(() => {});
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  if (pictures) await page.waitForTimeout(700);
}

/** The best of a few loads counts, as whatever else the machine does only makes one longer. */
async function firstPaint(page) {
  let best = Infinity;
  // The first start of a browser is not the page's doing: what counts are the loads after it.
  for (let load = 0; load < MOST_LOADS && best >= PAINTED_MS; load++) {
    await page.reload();
    await page.locator("main h1").waitFor();
    // The browser lists a paint some time after it.
    const paint = await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    best = Math.min(best, await paint.jsonValue());
  }
  console.log(`first contentful paint ${Math.round(best)} ms`);
  check(best < PAINTED_MS, `the first paint comes after ${best} ms`);
}
