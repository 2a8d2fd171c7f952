// What every script begins with: a browser, a page whose errors count, and how to wait.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [packages, executablePath, url, text] = process.argv.slice(2);
export const base = url;
export const given = JSON.parse(text);
export const require = createRequire(`${packages}/package.json`);
const { chromium } = require("playwright-core");

/** Where pictures of pages go, if anywhere. */
export const pictures = process.env.ORCHARD_TEST_SCREENSHOTS;
/** What is waited for comes within this time, also on a machine that is busy. */
export const SOON = 30_000;

/** Runs a test with a page of a browser of its own; ends the process with what came of it. */
export async function run(test, options = {}) {
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  let browser;
  let page;
  let code = 1;
  try {
    browser = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      viewport: { width: 1440, height: 900 },
      ...options,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...(options.args ?? [])],
    });
    browser.setDefaultTimeout(SOON);
    page = await browser.newPage();
    const errors = watchErrors(page);
    await test({ page, browser, errors });
    equal(errors, [], "errors of the page");
    code = 0;
  } catch (error) {
    console.log(error.stack ?? String(error));
    if (page) await picture(page, "failure").catch(() => {});
  } finally {
    await browser?.close().catch(() => {});
    rmSync(profile, { recursive: true, force: true });
  }
  process.exit(code);
}

/** A picture of what is seen, where pictures are wanted. */
export async function picture(page, name) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** Errors of the page's own scripts, in a list that grows. */
export function watchErrors(page) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  page.on("console", (message) => {
    // An answer that is no success is said by the browser itself; pages show it.
    if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(message.text())) errors.push(message.text());
  });
  return errors;
}

/** Waits until a function gives something true; what it gave. */
export async function until(what, look, timeout = SOON) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const found = await look();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what}: it does not come; the last was ${last?.stack ?? JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export function check(isSo, what) {
  if (!isSo) throw new Error(what);
}

export function equal(found, expected, what) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${what}: ${left}, and ${right} is expected`);
}

/** What the gateway answers, as JSON. */
export async function read(path) {
  const answer = await fetch(`${base}${path}`);
  check(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

/** Sends the gateway a command; what it answers. */
export async function post(path, body) {
  const answer = await fetch(`${base}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  check(answer.status === 202, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}
