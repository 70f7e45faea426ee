/** Bodies both ways: order, credit, ends and failures. */

import { strict as assert } from "node:assert";
import { connected, settle } from "./fakes_test.ts";
import { CHUNK_BYTES, Flag, Kind, WINDOW_BYTES } from "./protocol.ts";
import { Inbound, Outbound } from "./streams.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

Deno.test("an inbound body is read in order to its end", async () => {
  const { channel } = connected();
  const body = new Inbound(channel, 2);
  body.feed(bytes(1), false);
  body.feed(bytes(), false);
  body.feed(bytes(2, 3), true);
  assert.deepEqual(await new Response(body.stream).bytes(), bytes(1, 2, 3));
});

Deno.test("chunks are copies of the read buffer", async () => {
  const { channel } = connected();
  const body = new Inbound(channel, 2);
  const buffer = bytes(1, 2);
  body.feed(buffer, true);
  buffer.fill(9);
  assert.deepEqual(await new Response(body.stream).bytes(), bytes(1, 2));
});

Deno.test("a reader that waits gets the chunk that comes", async () => {
  const { channel } = connected();
  const body = new Inbound(channel, 2);
  const reader = body.stream.getReader();
  const reading = reader.read();
  await settle();
  body.feed(bytes(5), false);
  assert.deepEqual((await reading).value, bytes(5));
  const ending = reader.read();
  body.feed(bytes(), true);
  assert.equal((await ending).done, true);
});

Deno.test("credit is paid for what was read, and none after the end", async () => {
  const { channel, socket } = connected();
  const body = new Inbound(channel, 2);
  for (let fed = 0; fed < WINDOW_BYTES; fed += CHUNK_BYTES) body.feed(new Uint8Array(CHUNK_BYTES), false);
  const reader = body.stream.getReader();
  for (let read = 0; read < WINDOW_BYTES; read += CHUNK_BYTES) await reader.read();
  await settle();
  const credits = socket.frames.map((
    [kind, , stream, , count],
  ) => [kind, stream, new DataView(count.buffer).getUint32(0, true)]);
  assert.deepEqual(credits, [[Kind.CREDIT, 2, WINDOW_BYTES / 2], [Kind.CREDIT, 2, WINDOW_BYTES / 2]]);
  for (let fed = 0; fed < WINDOW_BYTES; fed += CHUNK_BYTES) {
    body.feed(new Uint8Array(CHUNK_BYTES), fed + CHUNK_BYTES >= WINDOW_BYTES);
  }
  while (!(await reader.read()).done);
  await settle();
  assert.equal(socket.frames.length, 2);
});

Deno.test("a body that fails gives what has arrived and then the error", async () => {
  const { channel } = connected();
  const body = new Inbound(channel, 2);
  body.feed(bytes(1), false);
  body.fail(new Error("cut"));
  const reader = body.stream.getReader();
  assert.deepEqual((await reader.read()).value, bytes(1));
  await assert.rejects(reader.read(), /cut/);
});

Deno.test("a complete body cannot fail any more", async () => {
  const { channel } = connected();
  const body = new Inbound(channel, 2);
  body.feed(bytes(1), true);
  body.fail(new Error("cut"));
  assert.deepEqual(await new Response(body.stream).bytes(), bytes(1));
});

Deno.test("a reader that wants no more says so once", async () => {
  const { channel, socket } = connected();
  const body = new Inbound(channel, 2);
  await body.stream.cancel("enough");
  body.feed(bytes(1), false);
  await settle();
  assert.deepEqual(socket.frames.map(([kind, , , head]) => [kind, head]), [[Kind.CANCEL, '{"reason":"enough"}']]);
});

Deno.test("an outbound body leaves in chunks and waits for credit", async () => {
  const { channel, socket } = connected();
  const body = new Outbound(channel, 2);
  let done = false;
  const writing = body.write(new Uint8Array(WINDOW_BYTES + 10)).then((all) => done = all);
  await settle();
  assert.equal(done, false);
  assert.deepEqual(socket.frames.map((each) => each[4].length), Array(WINDOW_BYTES / CHUNK_BYTES).fill(CHUNK_BYTES));
  body.grant(4);
  await settle();
  body.grant(100);
  await writing;
  body.end(Flag.DONE);
  await settle();
  assert.deepEqual(socket.frames.slice(-3).map(([, flags, , , part]) => [flags, part.length]), [
    [0, 4],
    [0, 6],
    [Flag.END | Flag.DONE, 0],
  ]);
});

Deno.test("a write that waits learns that the box wants no more", async () => {
  const { channel, socket } = connected();
  const body = new Outbound(channel, 2);
  const writing = body.write(new Uint8Array(WINDOW_BYTES + 1));
  await settle();
  body.cancel("gone");
  assert.equal(await writing, false);
  assert.equal(await body.write(bytes(1)), false);
  const count = socket.frames.length;
  body.end();
  await settle();
  assert.equal(socket.frames.length, count);
});

Deno.test("a pump sends a whole stream and its end", async () => {
  const { channel, socket } = connected();
  const source = new Response(new Uint8Array(100_000).fill(3)).body!;
  await new Outbound(channel, 2).pump(source.getReader());
  await settle();
  const frames = socket.frames;
  assert.equal(frames.reduce((sum, each) => sum + each[4].length, 0), 100_000);
  assert.equal(frames.at(-1)![1], Flag.END);
});

Deno.test("a cancelled pump cancels its source", async () => {
  const { channel } = connected();
  let cancelled: unknown;
  const source = new ReadableStream<Uint8Array>({ cancel: (reason) => void (cancelled = reason) });
  const body = new Outbound(channel, 2);
  const pumping = body.pump(source.getReader());
  await settle();
  body.cancel("gone");
  await pumping;
  assert.equal(cancelled, "gone");
});

Deno.test("a source's error and its wrong chunks are the pump's", async () => {
  const { channel } = connected();
  const failing = new ReadableStream<Uint8Array>({ pull: () => Promise.reject(new Error("source")) });
  await assert.rejects(new Outbound(channel, 2).pump(failing.getReader()), /source/);
  const wrong = new ReadableStream({ start: (controller) => controller.enqueue("text") });
  await assert.rejects(new Outbound(channel, 2).pump(wrong.getReader()), /Uint8Array/);
});
