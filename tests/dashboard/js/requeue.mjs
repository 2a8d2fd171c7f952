// A message that failed lies in a queue of the broker: it is read, what it wants is made, and it is requeued after a dry run.
import { base, check, given, picture, run, until } from "./browser.mjs";

await run(async ({ page }) => {
  const { command } = given;
  await page.goto(`${base}/#/errors`);
  const queues = page.getByRole("region", { name: "Queues" });
  const queue = queues.getByRole("row").filter({ hasText: "strategies_error" });
  await queue.getByText(/trend/).waitFor();
  await picture(page, "errors-queues");
  await queue.getByRole("link").click();
  const messages = page.getByRole("region", { name: "Messages of strategies_error" });
  await messages.getByText(/trend/).first().click();
  // The message itself, with the way to its command.
  await page.locator(`a[href="#/commands/${command}"]`).first().waitFor();
  await picture(page, "errors-message");

  await page.goto(`${base}/#/strategies?deploy=apple`);
  const dialog = page.getByRole("dialog", { name: "Deploy a strategy" });
  await dialog.getByLabel("Name").fill("trend");
  await dialog.getByRole("button", { name: "Deploy", exact: true }).click();
  await dialog.waitFor({ state: "detached" });

  await page.goto(`${base}/#/errors/strategies_error`);
  await messages.getByText(/trend/).first().waitFor();
  await messages.getByRole("button", { name: "Requeue …" }).click();
  const requeue = page.getByRole("dialog", { name: /Requeue/ });
  await requeue.getByText(/would be requeued/).waitFor();
  check((await requeue.getByText("Nothing is done yet.").count()) === 1, "the dry run says that nothing is done");
  await picture(page, "errors-dry-run");
  await requeue.getByRole("button", { name: "Requeue 1 message" }).click();
  await requeue.getByText("1 message was requeued").waitFor();
  await requeue.getByRole("button", { name: "Close" }).last().click();
  await until("an empty queue", async () => (await messages.getByText("The queue is empty.").count()) > 0);

  await page.goto(`${base}/#/commands/${command}`);
  await page.getByRole("main").getByText("Completed").first().waitFor();
  await page.goto(`${base}/#/strategies`);
  await page.getByRole("row").filter({ hasText: "trend" }).filter({ hasText: "fast 9" }).waitFor();
});
