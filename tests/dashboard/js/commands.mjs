// A command that failed: its reason, its place among causes, a requeue, and the tree with what that caused.
import { base, check, given, run, until } from "./browser.mjs";

await run(async ({ page }) => {
  const { failed } = given;
  await page.goto(`${base}/#/commands`);
  await page.getByText("Rename user").first().waitFor();
  await page.goto(`${base}/#/commands/${failed}`);
  const main = page.getByRole("main");
  await main.getByText(/there is no user/).first().waitFor();
  const tree = page.getByRole("region", { name: "Causes and effects" });
  await tree.locator(`a[href="#/commands/${failed}"]`).waitFor();
  const before = await tree.getByRole("link").count();
  await page.getByRole("button", { name: "Requeue", exact: true }).click();
  // What requeued it is below it in the tree, and a link to itself.
  await until("the requeue in the tree", async () => {
    const links = await tree.getByRole("link").evaluateAll((all) => all.map((link) => link.textContent));
    return links.length > before && links.some((text) => /requeue/i.test(text));
  });
  check((await tree.getByRole("link").count()) > before, "nothing was caused");
});
