// Starts a replay by its form, watches it go, and compares what is shown with what `orchard replay --json` computes.
import { base, check, equal, given, run, until } from "./browser.mjs";

/** The replay ends within this time, also on a machine that is busy. */
const PLAYED = 120_000;

await run(async ({ page }) => {
  const { file, fast, expected } = given;
  await page.goto(`${base}/#/replays`);
  await page.getByRole("link", { name: "New replay" }).click();
  const dialog = page.getByRole("dialog", { name: "Start a replay" });
  await dialog.getByLabel(file).check();
  await dialog.getByRole("button", { name: "Add a strategy" }).click();
  await dialog.getByLabel("Strategy", { exact: true }).selectOption("apple");
  await dialog.getByLabel("Fast", { exact: true }).fill(fast);
  // As fast as it goes it would be over before it is seen to run.
  await dialog.getByLabel("Speed").fill("12");
  await dialog.getByRole("button", { name: "Start", exact: true }).dblclick();

  await page.waitForURL(/#\/replays\/[0-9a-f-]{36}/);
  const id = page.url().split("/").at(-1);
  const ticks = page.locator("[data-ticks]");
  const shown = async () => Number((await ticks.textContent()).replaceAll(",", ""));
  const first = await until("ticks", async () => (await shown()) || undefined);
  await until("more ticks", async () => (await shown()) > first);

  const chart = await page.context().newPage();
  await seesPrices(chart, id);
  await chart.close();

  await page.locator("[data-signals]").waitFor({ timeout: PLAYED });
  const strategy = expected.strategies.find((one) => one.strategy === "apple");
  equal(Number(await page.locator("[data-signals]").getAttribute("data-signals")), strategy.signals, "signals");
  for (const [figure, value] of [["equity", strategy.net_profit], ["sharpe", strategy.sharpe], ["drawdown", strategy.max_drawdown]]) {
    const cell = page.locator(`[data-figure="${figure}"][data-strategy="apple"]`);
    const expected = Number(value).toFixed(2);
    await until(`${figure} of ${expected}`, async () => number(await cell.textContent()) === expected);
  }
});

/** The market page moves while the replay runs. */
async function seesPrices(page, id) {
  await page.goto(`${base}/#/market/${encodeURIComponent(`replay/${id}`)}/BTCUSDT`);
  const line = page.locator(".instruments .line").filter({ hasText: "BTCUSDT" });
  await line.waitFor();
  const before = await line.textContent();
  await until("prices that move", async () => (await line.textContent()) !== before);
  check((await page.locator(".chart canvas").count()) > 0, "there is no chart");
}

/** As the program writes it: without the thousands' marks, the sign a plain one. */
function number(text) {
  return text.trim().replaceAll(",", "").replace("−", "-").replace("+", "");
}
