// Builds the dashboard into the package, and each file's compressed forms beside it: the box only sends what is there.
import { walk } from "./files.ts";
import { brotliCompress, constants, gzip } from "node:zlib";
import { promisify } from "node:util";

const OUT = new URL("../../src/v8box/api/dashboard/built/", import.meta.url);
const COMPRESSED = /\.(js|css|html|svg|webmanifest|json|map|ttf)$/;
const LEAST_BYTES = 1024;
const LARGE_BYTES = 400_000; // the best brotli takes a second for each of these and saves a fiftieth

async function compress(file: URL): Promise<void> {
  const bytes = await Deno.readFile(file);
  if (bytes.length < LEAST_BYTES) return;
  const quality = bytes.length > LARGE_BYTES ? 9 : 11;
  const params = { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const forms = [
    [".br", await promisify(brotliCompress)(bytes, { params })],
    [".gz", await promisify(gzip)(bytes, { level: 9 })],
  ] as const;
  for (const [ending, smaller] of forms) {
    if (smaller.length < bytes.length * 0.95) await Deno.writeFile(new URL(file.href + ending), smaller);
  }
}

const vite = new Deno.Command(Deno.execPath(), {
  args: [
    "run",
    "--allow-all",
    "--quiet",
    "--cached-only",
    "node_modules/vite/bin/vite.js",
    "build",
    "--logLevel",
    "warn",
  ],
  cwd: new URL("..", import.meta.url),
});
const { success } = await vite.spawn().status;
if (!success) Deno.exit(1);
const files = (await Array.fromAsync(walk(OUT))).filter((file) => COMPRESSED.test(file.pathname));
await Promise.all(files.map(compress));
