// Runs the suite in Chromium: `node browser.mjs PACKAGES TOOLS CHROMIUM URL`.
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [packages, tools, executablePath, base] = process.argv.slice(2);
const require = createRequire(`${tools}/package.json`);
const { chromium } = require("playwright-core");

const { outputFiles } = await require("esbuild-wasm").build({
  entryPoints: [new URL("page.mjs", import.meta.url).pathname],
  bundle: true,
  write: false,
  format: "iife",
  nodePaths: [`${packages}/node_modules`],
  logLevel: "error",
});

const profile = mkdtempSync(join(tmpdir(), "chromium-"));
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: [...flags, "--disable-component-update", "--disable-sync"],
});
let failed = 1;
try {
  const page = await browser.newPage();
  // A page of the server itself: its own host may connect without being named, and a page made up here would be kept from
  // loopback addresses.
  await page.goto(`${base}/deployment`);
  await page.addScriptTag({ content: outputFiles[0].text });
  const { lines, failures } = await page.evaluate((base) => window.runSuite(base), base);
  lines.forEach((line) => console.log(line));
  failed = failures;
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
