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

Deno.test("a pipeline is one call, and each command has its outcome", async () => {
  const { call, sent } = recording({ result: [[0, "OK"], ["WRONGTYPE", "no list"], [0, ["a", "1"]]] });
  const pipeline = createCache(call).pipeline([["set", "k", 1]]).lpush("k", "x").hgetall("h");
  assert.equal(pipeline.length, 3);
  assert.equal(sent.length, 0);
  const [set, push, all] = await pipeline.exec();
  assert.deepEqual([set, all], [[null, "OK"], [null, { a: "1" }]]);
  assert(push![0] instanceof ReplyError);
  assert.deepEqual([push![0].code, push![0].command.name], ["WRONGTYPE", "lpush"]);
  assert.deepEqual(sent, [["batch.pipeline", {
    c: [["set", ["k", "1"], false], ["lpush", ["k", "x"], false], ["hgetall", ["h"], false]],
  }]]);
  assert.throws(() => pipeline.get("k"), TypeError);
  assert.deepEqual(await createCache(call).multi().exec(), []);
});

Deno.test("an aborted transaction says why", async () => {
  const aborted = new BindingError("EXECABORT", "EXECABORT", { errors: [[1, "REFUSED", "no"]] });
  const error = await createCache(recording(aborted).call).multi().get("k").call("flushall").exec().catch((e) => e);
  assert.deepEqual([error.code, error.previousErrors[0].code, error.previousErrors[0].command.name], [
    "EXECABORT",
    "REFUSED",
    "flushall",
  ]);
});

Deno.test("messages come however their lines are cut, until a fault", async () => {
  const lines = '["news","wört"]\n["news",{"b":"/w=="},"n*"]\n{"code":"MESSAGES_LOST","message":"lost"}\n';
  const all = new TextEncoder().encode(lines);
  const stream = () => ReadableStream.from(Array.from(all, (byte) => new Uint8Array([byte])));
  const { call, sent } = recording({ result: {}, stream: stream() }, { result: {}, stream: stream() });
  const got: unknown[] = [];
  const iterate = async () => {
    for await (const message of await createCache(call).subscribe("news", ["more"])) got.push(message);
  };
  await assert.rejects(iterate, { code: "MESSAGES_LOST" });
  assert.deepEqual(got, [{ channel: "news", message: "wört" }, { channel: "news", message: "\ufffd", pattern: "n*" }]);
  const heard: unknown[] = [];
  const subscription = await createCache(call).psubscribeBuffer("n*");
  await new Promise<void>((resolve) =>
    subscription.on("message", (...message) => heard.push(message)).on("pmessage", (...message) => heard.push(message))
      .on("error", (error) => heard.push((error as ReplyError).code)).on("end", resolve)
  );
  assert.deepEqual(heard, [["news", "wört"], ["n*", "news", new Uint8Array([255])], "MESSAGES_LOST"]);
  assert.deepEqual(sent, [
    ["messages.subscribe", { c: ["news", "more"], raw: false }],
    ["messages.subscribe", { p: ["n*"], raw: true }],
  ]);
});

Deno.test("wrap computes under its lease, and gives it up when that fails", async () => {
  const hit = { result: { h: 1 }, body: new TextEncoder().encode('{"a":1}') };
  const lease = { result: { t: "token" } };
  const { call, sent } = recording(hit, lease, { result: null }, lease, { result: null });
  const cache = createCache(call);
  assert.deepEqual(await cache.wrap("k", 5, () => assert.fail()), { a: 1 });
  assert.deepEqual(await cache.wrap("k", 5, () => ({ at: new Date(0) } as unknown)), {
    at: "1970-01-01T00:00:00.000Z",
  });
  await assert.rejects(cache.wrap("k", 5, () => Promise.reject(new RangeError("mine"))), RangeError);
  assert.deepEqual(sent.slice(1), [
    ["wrap.begin", { k: "k" }],
    ["wrap.end", { k: "k", t: "token", s: 5 }],
    ["wrap.begin", { k: "k" }],
    ["wrap.end", { k: "k", t: "token" }],
  ]);
  await assert.rejects(cache.wrap("k", 0, () => 1), RangeError);
});

Deno.test("long arguments go beside the head", async () => {
  let sent: unknown[] = [];
  const cache = createCache((...call) => {
    sent = call;
    return Promise.resolve({ result: { j: 1 }, body: new TextEncoder().encode('"long"') });
  });
  assert.equal(await cache.set("k", "x".repeat(200_000), "GET"), "long");
  assert.equal(sent[1], null);
  assert.equal(JSON.parse(new TextDecoder().decode(sent[2] as Uint8Array))[1].length, 200_000);
});
