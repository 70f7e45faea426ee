/** What the `cache` client sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { createCache, ReplyError } from "./client.ts";

function recording(...replies: (Reply | Error)[]): { call: Caller; sent: unknown[] } {
  const sent: unknown[] = [];
  const call: Caller = (operation, args) => {
    sent.push([operation, args]);
    const reply = replies.shift() ?? { result: "OK" };
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { call, sent };
}

Deno.test("arguments are flattened as ioredis does", async () => {
  const { call, sent } = recording();
  const cache = createCache(call);
  await cache.set("k", 1.5, "EX", 60);
  await cache.del("a", ["b", ["c"]]);
  await cache.mset({ a: 1, b: null });
  await cache.mset("a", 1);
  await cache.hset("h", new Map<string, bigint | boolean>([["x", 2n], ["y", false]]));
  await cache.hset("h", "x", new Uint8Array([255]));
  await cache.call("CONFIG", "GET", "*");
  assert.deepEqual(sent, [
    ["set", ["k", "1.5", "EX", "60"]],
    ["del", ["a", "b", "c"]],
    ["mset", ["a", "1", "b", ""]],
    ["mset", ["a", "1"]],
    ["hset", ["h", "x", "2", "y", "false"]],
    ["hset", ["h", "x", { b: "/w==" }]],
    ["config", ["GET", "*"]],
  ]);
});

Deno.test("replies are strings, numbers, objects or bytes", async () => {
  const stream = ReadableStream.from([new Uint8Array([1]), new Uint8Array([2])]);
  const { call, sent } = recording(
    { result: ["a", "1", "b", "2"] },
    { result: { i: "9007199254740993" } },
    { result: null, body: new Uint8Array([255]) },
    { result: null, stream },
    { result: [{ b: "/w==" }, null] },
    { result: null },
  );
  const cache = createCache(call);
  assert.deepEqual(await cache.hgetall("h"), { a: "1", b: "2" });
  assert.equal(await cache.incr("n"), 9007199254740993n);
  assert.deepEqual(await cache.getBuffer("k"), new Uint8Array([255]));
  assert.deepEqual(await cache.getBuffer("k"), new Uint8Array([1, 2]));
  assert.deepEqual(await cache.mgetBuffer("k", "none"), [new Uint8Array([255]), null]);
  assert.equal(await cache.getBuffer("none"), null);
  assert.deepEqual(sent.at(-1), ["get", { a: ["none"], raw: true }]);
});

Deno.test("errors are named as ioredis names them", async () => {
  const { call } = recording(
    new BindingError("WRONGTYPE", "WRONGTYPE Operation against a key"),
    new TypeError("other"),
  );
  const cache = createCache(call);
  const error = await cache.incr("k").then(() => assert.fail(), (error) => error);
  assert(error instanceof ReplyError);
  assert.deepEqual([error.code, error.message, error.command.name], [
    "WRONGTYPE",
    "WRONGTYPE Operation against a key",
    "incr",
  ]);
  await assert.rejects(cache.get("k"), TypeError);
});

Deno.test("clients share their methods", () => {
  const { call } = recording();
  assert.equal(createCache(call).get, createCache(call).get);
});
