/** What a KV namespace sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { createKv, KvError } from "./kv.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function recording(...replies: (Reply | Error)[]): { call: Caller; sent: unknown[] } {
  const sent: unknown[] = [];
  const call: Caller = (operation, args, body) => {
    sent.push(body instanceof Uint8Array ? [operation, args, new TextDecoder().decode(body)] : [operation, args]);
    const reply = replies.shift() ?? { result: null };
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { call, sent };
}

Deno.test("a value comes as text, json, bytes or a stream", async () => {
  const found = () => ({ result: { m: '{"a":1}' }, body: bytes("[1]") });
  const kv = createKv(recording(found(), found(), found(), found(), found(), { result: null }).call, "n");
  assert.equal(await kv.get("k"), "[1]");
  assert.deepEqual(await kv.get("k", "json"), [1]);
  assert.deepEqual(new Uint8Array((await kv.get("k", "arrayBuffer"))!), bytes("[1]"));
  assert.equal(await new Response(await kv.get("k", { type: "stream", cacheTtl: 60 })).text(), "[1]");
  assert.deepEqual(await kv.getWithMetadata("k"), { value: "[1]", metadata: { a: 1 }, cacheStatus: null });
  assert.deepEqual(await kv.getWithMetadata("k"), { value: null, metadata: null, cacheStatus: null });
});

Deno.test("several values are cut out of one body", async () => {
  const reply = { result: { s: [2, -1, 0, 3], m: [null, null, null, '"x"'] }, body: bytes("ab123") };
  const kv = createKv(recording(reply, reply, reply).call, "n");
  assert.deepEqual([...await kv.get(["a", "b", "c", "d"])], [["a", "ab"], ["b", null], ["c", ""], ["d", "123"]]);
  assert.equal((await kv.getWithMetadata(["a", "b", "c", "d"])).get("d")!.metadata, "x");
  await assert.rejects(kv.get(["a"], "stream" as "text"), TypeError);
});

Deno.test("what is put and listed", async () => {
  const page = { k: [["a", null, null], ["b", 9, '{"x":1}']], c: "next" };
  const { call, sent } = recording({ result: null }, { result: page }, { result: { k: [], c: null } });
  const kv = createKv(call, "n");
  await kv.put("k", "v", { expirationTtl: 60, metadata: { a: 1 } });
  assert.deepEqual(await kv.list({ prefix: "p", limit: 2 }), {
    keys: [{ name: "a" }, { name: "b", expiration: 9, metadata: { x: 1 } }],
    list_complete: false,
    cursor: "next",
    cacheStatus: null,
  });
  assert.deepEqual(await kv.list({ cursor: "next" }), { keys: [], list_complete: true, cacheStatus: null });
  assert.deepEqual(sent, [
    ["kv.put", { n: "n", k: "k", e: null, t: 60, m: '{"a":1}' }, "v"],
    ["kv.list", { n: "n", p: "p", l: 2, c: null }],
    ["kv.list", { n: "n", p: "", l: 1000, c: "next" }],
  ]);
});

Deno.test("wrong arguments are told before anything is sent, refusals with their code", async () => {
  const { call, sent } = recording(new BindingError("TOO_LARGE", "metadata may have 1024 bytes of JSON"));
  const kv = createKv(call, "n");
  await assert.rejects(kv.put("k", 5 as unknown as string), TypeError);
  await assert.rejects(kv.put("k", "v", { expirationTtl: 1.5 }), TypeError);
  await assert.rejects(kv.get("k", "xml" as "text"), TypeError);
  await assert.rejects(kv.get(7 as unknown as string), TypeError);
  assert.equal(sent.length, 0);
  const error = await kv.put("k", "v").catch((error) => error);
  assert(error instanceof KvError);
  assert.deepEqual([error.code, error.message], ["TOO_LARGE", "KV PUT failed: metadata may have 1024 bytes of JSON"]);
});
