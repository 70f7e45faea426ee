/** Binding calls and the run they belong to. */

import { strict as assert } from "node:assert";
import { BindingError } from "./binding.ts";
import { Calls } from "./calls.ts";
import { aRun, connected, settle } from "./fakes_test.ts";
import { Flag, Kind, MAX_OPEN_CALLS, WINDOW_BYTES } from "./protocol.ts";

const NOTHING = new Uint8Array(0);

function calling() {
  const { channel, socket } = connected();
  const calls = new Calls(channel);
  const run = aRun(channel);
  return { calls, run, call: calls.caller(run, "db"), socket, channel };
}

Deno.test("a call and its answer", async () => {
  const { calls, call, socket } = calling();
  const reply = call("execute", { sql: "select 1" });
  await settle();
  assert.deepEqual(socket.frames.map((each) => each.slice(0, 4)), [
    [Kind.CALL, Flag.END, 1, '[2,"db","execute",{"sql":"select 1"}]'],
  ]);
  calls.answer(1, Flag.END, '{"result":[1]}', NOTHING);
  assert.deepEqual(await reply, { result: [1] });
});

Deno.test("answers find their calls in any order", async () => {
  const { calls, call } = calling();
  const replies = [call("a", null), call("b", null)];
  calls.answer(3, Flag.END, '{"result":"b"}', NOTHING);
  calls.answer(1, Flag.END, '{"result":"a"}', NOTHING);
  assert.deepEqual((await Promise.all(replies)).map((reply) => reply.result), ["a", "b"]);
});

Deno.test("a refusal rejects with its code", async () => {
  const { calls, call } = calling();
  const reply = call("x", null);
  calls.answer(1, Flag.END, '{"code":"NO_BINDING","message":"none"}', NOTHING);
  await assert.rejects(
    reply,
    (error) => error instanceof BindingError && error.code === "NO_BINDING" && error.message === "none",
  );
});

Deno.test("bytes go with the call and come with the answer", async () => {
  const { calls, call, socket } = calling();
  const reply = call("put", null, new Uint8Array([1, 2]));
  await settle();
  assert.deepEqual(socket.frames[0]!.slice(1, 2).concat([...socket.frames[0]![4]]), [Flag.END | Flag.BODY, 1, 2]);
  const buffer = new Uint8Array([3]);
  calls.answer(1, Flag.END | Flag.BODY, '{"result":null}', buffer);
  buffer.fill(9);
  assert.deepEqual((await reply).body, new Uint8Array([3]));
});

Deno.test("an answer may be a stream that ends or fails", async () => {
  const { calls, call } = calling();
  const first = call("get", null), second = call("get", null);
  calls.answer(1, Flag.BODY, '{"result":1}', new Uint8Array([1]));
  calls.answer(3, Flag.BODY, '{"result":2}', NOTHING);
  calls.body(1, new Uint8Array([2]), true);
  calls.cancel(3, "the disk");
  assert.deepEqual(await new Response((await first).stream).bytes(), new Uint8Array([1, 2]));
  await assert.rejects(new Response((await second).stream).bytes(), /the disk/);
});

Deno.test("a long body is streamed as credit comes, and given up when the answer is there", async () => {
  const { calls, call, socket } = calling();
  const reply = call("put", null, new Uint8Array(WINDOW_BYTES * 2));
  await settle();
  assert.equal(socket.frames.filter(([kind]) => kind === Kind.BODY).length, 4);
  calls.credit(1, WINDOW_BYTES);
  await settle();
  assert.equal(socket.frames.at(-1)![1], Flag.END);
  calls.answer(1, Flag.END, '{"result":null}', NOTHING);
  await reply;
});

Deno.test("a body whose source fails takes its call back", async () => {
  const { call, socket } = calling();
  const source = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("source")) });
  await assert.rejects(call("put", null, source), /source/);
  await settle();
  assert.equal(socket.frames.at(-1)![0], Kind.CANCEL);
});

Deno.test("arguments that are no JSON reject and leave nothing open", async () => {
  const { call, socket } = calling();
  for (let count = 0; count < MAX_OPEN_CALLS + 1; count++) await assert.rejects(call("x", { n: 1n }), TypeError);
  await settle();
  assert.equal(socket.frames.length, 0);
});

Deno.test("too many open calls are refused here", async () => {
  const { calls, call } = calling();
  const open = Array.from({ length: MAX_OPEN_CALLS }, () => call("x", null));
  await assert.rejects(call("x", null), (error) => error instanceof BindingError && error.code === "TOO_MANY_CALLS");
  calls.answer(1, Flag.END, '{"result":1}', NOTHING);
  await open[0];
  open.push(call("x", null));
  for (let id = 3; id <= MAX_OPEN_CALLS * 2 + 3; id += 2) calls.answer(id, Flag.END, '{"result":1}', NOTHING);
  await Promise.all(open.slice(1, -1));
});

Deno.test("a run that ends fails its calls and no other's", async () => {
  const { calls, run, call, channel } = calling();
  const other = calls.caller(aRun(channel, 4), "db");
  const lost = call("x", null), kept = other("x", null);
  calls.cancelRun(run, "the client left");
  await assert.rejects(lost, (error) => error instanceof BindingError && error.code === "RUN_ENDED");
  calls.answer(1, Flag.END, '{"result":"late"}', NOTHING);
  calls.answer(3, Flag.END, '{"result":1}', NOTHING);
  assert.equal((await kept).result, 1);
  run.cancel("the client left");
  await assert.rejects(call("y", null), /the client left/);
});

Deno.test("a run is over when its handler and all that it waits for are", async () => {
  const { channel, socket } = connected();
  const ended: string[] = [];
  const run = aRun(channel, 2, (over) => ended.push(over.id));
  const { promise, resolve } = Promise.withResolvers<void>();
  run.waitUntil(promise, () => assert.fail());
  const failures: unknown[] = [];
  run.waitUntil(Promise.reject("no"), (error) => failures.push(error));
  assert.equal(run.isLast, false);
  run.finish(false);
  await settle();
  assert.deepEqual([ended, failures], [[], ["no"]]);
  resolve();
  await settle();
  assert.deepEqual(ended, ["id-2"]);
  assert.deepEqual(socket.frames.map(([kind]) => kind), [Kind.DONE]);
});

Deno.test("a signal that is asked for late knows what happened", () => {
  const { channel } = connected();
  const early = aRun(channel), late = aRun(channel, 4);
  assert.equal(early.signal.aborted, false);
  early.cancel("left");
  late.cancel("left");
  assert.deepEqual([early.signal.aborted, late.signal.aborted], [true, true]);
  assert.equal(early.signal.reason.message, "left");
});

Deno.test("a waitUntil after the end does not end the run again", async () => {
  const { channel, socket } = connected();
  const run = aRun(channel);
  run.finish(true);
  run.waitUntil(Promise.resolve(), () => assert.fail());
  await settle();
  assert.deepEqual(socket.frames.map(([kind]) => kind), []);
});

Deno.test("a call that is given up rejects with the signal's reason, and the box is told", async () => {
  const { calls, call, socket } = calling();
  const controller = new AbortController();
  const reply = call("slow", null, undefined, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(reply, /enough/);
  await settle();
  const [kind, , id, head] = socket.frames.at(-1)!;
  assert.deepEqual([kind, id, head], [Kind.CANCEL, 1, '{"reason":"the caller gave it up"}']);
  calls.answer(1, Flag.END, '{"result":1}', NOTHING); // it was under way
});

Deno.test("giving up an answered call breaks its stream, and does nothing once that is over", async () => {
  const { calls, call, socket } = calling();
  const controller = new AbortController();
  const [streamed, whole] = [
    call("a", null, undefined, controller.signal),
    call("b", null, undefined, controller.signal),
  ];
  calls.answer(1, Flag.BODY, '{"result":1}', new Uint8Array([1]));
  calls.answer(3, Flag.END, '{"result":2}', NOTHING);
  const reader = (await streamed).stream!.getReader();
  assert.deepEqual((await reader.read()).value, new Uint8Array([1]));
  assert.equal((await whole).result, 2);
  controller.abort(new Error("enough"));
  await assert.rejects(reader.read(), /enough/);
  await settle();
  assert.deepEqual(socket.frames.filter(([kind]) => kind === Kind.CANCEL).map(([, , id]) => id), [1]);
});
