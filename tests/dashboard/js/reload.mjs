// Reloads the page while a replay runs: at its end the list of signals has every one once, and the chart has the same number.
import { base, equal, given, post, read, run, until } from "./browser.mjs";

/** The replay ends within this time, also on a machine that is busy. */
const PLAYED = 120_000;

await run(async ({ page }) => {
  // It is begun once the page is there: a slow start of the browser takes nothing of it.
  await page.goto(`${base}/#/market`);
  await page.locator("main h1").first().waitFor();
  const { commandId: replay } = await post("/api/replays", given.replay);
  await page.goto(`${base}/#/market/${encodeURIComponent(`replay/${replay}`)}/BTCUSDT`);
  const chart = page.getByRole("img", { name: /Candles of BTCUSDT/ });
  const counted = async () => Number(/with ([\d,]+) signals/.exec(await chart.getAttribute("aria-label"))?.[1].replaceAll(",", ""));
  await until("signals", async () => (await counted()) > 0);
  await page.reload();
  const again = await until("signals after the reload", async () => (await counted()) || undefined);
  await until("more signals", async () => (await counted()) > again);
  const ended = await until("the end", async () => {
    const view = await read(`/api/replays/${replay}`);
    return view.state === "completed" && view;
  }, PLAYED);
  await until("all signals", async () => (await counted()) >= ended.outcome.signals);
  equal(await counted(), ended.outcome.signals, "signals on the chart");
});
