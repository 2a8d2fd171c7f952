import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

// Where `npm run dev` finds a gateway.
const gateway = process.env.ORCHARD_GATEWAY ?? "http://127.0.0.1:8090";
/** A gateway refuses pages of other origins: what is asked through `npm run dev` comes from its own. */
const proxied = { target: gateway, ws: true, changeOrigin: true, headers: { origin: gateway } };

/** Names of styles follow from what they say, so that every machine builds the same bytes. */
const cssHash = ({ css }: { css: string }): string =>
  `s-${createHash("sha256").update(css).digest("hex").slice(0, 6)}`;

/** The licences of what is bundled, which ask to go with it. */
function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle(_, bundle) {
      const ids = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? Object.keys(file.modules) : []));
      const folders = new Set(ids.map((id) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ""))?.[0]).filter((folder) => folder !== undefined));
      const texts = [...folders].map((folder) => {
        const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as Record<string, string>;
        const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
        const texts = files.map((file) => readFileSync(`${folder}/${file}`, "utf8").replaceAll("\r\n", "\n").trim());
        return [`${name} ${version} (${license})`, ...texts].join("\n\n");
      });
      this.emitFile({ type: "asset", fileName: "assets/licences.txt", source: `${texts.sort().join("\n\n---\n\n")}\n` });
    },
  };
}

export default defineConfig({
  // Paths are relative, as the gateway serves the files below a folder that is named by their content.
  base: "./",
  plugins: [svelte({ compilerOptions: { cssHash } }), licences()],
  build: {
    target: "es2022",
    cssTarget: "es2022",
    // Files keep their names, so that a change of a page is a change of its file.
    rollupOptions: {
      output: {
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
        manualChunks: (id) => {
          if (id.includes("/node_modules/lightweight-charts/") || id.includes("/node_modules/fancy-canvas/")) return "candles";
          if (id.includes("/node_modules/uplot/")) return "curves";
          if (id.includes("/node_modules/@microsoft/signalr/")) return "signalr";
          return undefined;
        },
      },
    },
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    assetsInlineLimit: 0,
  },
  server: { proxy: Object.fromEntries(["/api", "/health", "/docs", "/openapi.json", "/hubs"].map((path) => [path, proxied])) },
});
