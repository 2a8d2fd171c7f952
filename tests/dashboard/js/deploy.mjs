// Deploys a strategy by its form, sees what is refused at its field, changes it and stops it.
import { base, check, run, until } from "./browser.mjs";

await run(async ({ page }) => {
  await page.goto(`${base}/#/strategies`);
  await page.getByRole("button", { name: "Deploy a strategy" }).click();
  const dialog = page.getByRole("dialog", { name: "Deploy a strategy" });
  await dialog.getByLabel("Strategy").selectOption("apple");
  await dialog.getByLabel("Name").fill("trend");
  await dialog.getByLabel("Fast").fill("0");
  const deploy = dialog.getByRole("button", { name: "Deploy", exact: true });
  await deploy.click();
  // The strategy refuses it, which is known when its command has failed; it stands at the field.
  const fast = dialog.getByLabel("Fast");
  await until("the refusal at the field", async () => (await fast.getAttribute("aria-invalid")) === "true");
  check((await dialog.textContent()).includes("at least 1"), "the reason is not shown");

  await fast.fill("8");
  await dialog.getByLabel("Slow").fill("30");
  await deploy.dblclick();
  await dialog.waitFor({ state: "detached" });
  const row = page.getByRole("row").filter({ hasText: "trend" });
  await row.filter({ hasText: "fast 8 · slow 30" }).waitFor();

  await row.getByRole("button", { name: "Change trend" }).click();
  const change = page.getByRole("dialog", { name: "Change trend" });
  await change.getByLabel("Fast").fill("9");
  await change.getByRole("button", { name: "Change", exact: true }).click();
  await change.waitFor({ state: "detached" });
  await row.filter({ hasText: "fast 9 · slow 30" }).waitFor();

  await row.getByRole("button", { name: "Stop trend" }).click();
  await page.getByRole("dialog", { name: "Stop trend?" }).getByRole("button", { name: "Stop it" }).click();
  await row.filter({ hasText: "Stopped" }).waitFor();

  // The same name again is refused at its field.
  await page.getByRole("button", { name: "Deploy a strategy" }).click();
  await dialog.getByLabel("Name").fill("not a name");
  await deploy.click();
  await until("the refusal of the name", async () => (await dialog.getByLabel("Name").getAttribute("aria-invalid")) === "true");
});
