// Cloudflare's simulator: `miniflare.mjs PORT SCRIPT FOLDER`, with a D1 database and a KV namespace kept in FOLDER.
import { Miniflare } from "npm:miniflare@4.20260730.0";

const [port, script, folder] = Deno.args;
const simulator = new Miniflare({
  modules: true,
  script: Deno.readTextFileSync(script),
  compatibilityDate: "2024-01-01",
  d1Databases: ["DB"],
  kvNamespaces: ["KV"],
  d1Persist: `${folder}/d1`,
  kvPersist: `${folder}/kv`,
  host: "127.0.0.1",
  port: Number(port),
});
await simulator.ready;
