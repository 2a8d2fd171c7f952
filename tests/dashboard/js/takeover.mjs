// A host is killed while the page of the system is open: who has its shards then, and the take-over, as they come.
import { base, given, picture, run, until } from "./browser.mjs";

const STRATEGY = "apple";

await run(async ({ page }) => {
  const { replay } = given;
  await page.goto(`${base}/#/system`);
  const map = page.getByRole("region", { name: `Instances and shards of replay/${replay}` });
  /** The processes that have shards of the strategy: as they are called, and as they are shown. */
  const holders = () =>
    map.getByRole("row").filter({ hasText: `${STRATEGY} on shard` }).getByRole("rowheader").evaluateAll((all) => all.map((one) => ({ name: one.title, shown: one.textContent.trim() })));
  const owner = await until("a host that has a shard", async () => (await holders()).find(({ name }) => name !== ""));
  // Whoever has started this script kills it now.
  console.log(`owner ${owner.name}`);

  const heir = await until("another host that has all of them", async () => {
    const [one, ...others] = await holders();
    return others.length === 0 && one && one.name !== "" && one.name !== owner.name && one;
  });
  const taken = page.getByRole("list", { name: "Take-overs, the newest first" }).getByRole("listitem");
  await taken.filter({ hasText: `${STRATEGY} of replay …${replay.slice(-8)}` }).filter({ hasText: owner.shown }).filter({ hasText: heir.shown }).first().waitFor();
  await picture(page, "takeover");
});
