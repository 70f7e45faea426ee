import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { inlineOf, parse } from "./src/features/docs/lib/markdown.ts";

const DOCS = fileURLToPath(new URL("../docs", import.meta.url));

const GROUPS = ["use", "run", "change"] as const;

/** Where README.md has a page: its list, and its place among all. */
function places(): Map<string, { group: (typeof GROUPS)[number]; order: number }> {
  const lists = readFileSync(`${DOCS}/README.md`, "utf8").split(/^To \w+ .*:$/m).slice(1);
  const found = new Map<string, { group: (typeof GROUPS)[number]; order: number }>();
  for (const [index, list] of lists.entries()) {
    for (const [, path = ""] of list.matchAll(/\]\(([\w/-]+)\.md\)/g)) {
      const group = GROUPS[index];
      if (group !== undefined && !found.has(path)) found.set(path, { group, order: found.size });
    }
  }
  return found;
}

/** `virtual:docs`: the pages of the documentation with their headings, in the order of README.md. What is for those who
 * build the box is left out. */
function docs(): Plugin {
  const pages = () => {
    const placed = places();
    return ["", "bindings/"].flatMap((folder) =>
      readdirSync(`${DOCS}/${folder}`).filter((name) => name.endsWith(".md") && name !== "README.md").map((name) => {
        const headings = parse(readFileSync(`${DOCS}/${folder}${name}`, "utf8")).flatMap((block) =>
          block.kind === "heading" ? [{ level: block.level, text: plain(block.children), slug: block.slug }] : []
        );
        const path = `${folder}${name.replace(/\.md$/, "")}`;
        return {
          path,
          ...placed.get(path) ?? { group: "use", order: placed.size },
          title: headings[0]?.text ?? name,
          headings: headings.filter(({ level }) => level === 2).map(({ text, slug }) => ({ text, slug })),
        };
      })
    ).sort((a, b) => a.order - b.order);
  };
  return {
    name: "docs",
    resolveId: (id) => id === "virtual:docs" ? "\0virtual:docs" : undefined,
    load: (id) => id === "\0virtual:docs" ? `export default ${JSON.stringify(pages())}` : undefined,
  };
}

function plain(words: ReturnType<typeof inlineOf>): string {
  return words.map((word) => "text" in word ? word.text : plain(word.children)).join("");
}

// The address that the box serves the assets at, on the admin host and by path.
export default defineConfig({
  base: "/admin/",
  plugins: [react(), tailwindcss(), docs()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  worker: { format: "es" },
  build: {
    outDir: fileURLToPath(new URL("../src/v8box/api/dashboard/built", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the policy of the page allows no data: scripts or fonts
    modulePreload: { polyfill: false },
    manifest: true,
    chunkSizeWarningLimit: 8000,
    reportCompressedSize: false,
  },
  // `deno task dev`: a box runs on port 8000 (V8BOX=http://… for another), Vite in front of it.
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/health", "/admin/database", "/admin/s3", "/admin/login", "/admin/logout"].map((path) => [
        path,
        { target: process.env.V8BOX ?? "http://localhost:8000", changeOrigin: false },
      ]),
    ),
  },
});
