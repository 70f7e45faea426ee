/** A WebSocket as the worker sees it, in both its shapes. */

import { strict as assert } from "node:assert";
import { aRun, connected, settle } from "./fakes_test.ts";
import { Flag, Kind, WINDOW_BYTES } from "./protocol.ts";
import { createUpgrade, socketOf, WebSocketPair, WorkerSocket, wrapResponse } from "./websocket.ts";

const asking = () => new Request("http://localhost/chat", { headers: { upgrade: "WebSocket" } });
const utf8 = (text: string) => new TextEncoder().encode(text);

function opened() {
  const { channel, socket: wire } = connected();
  const run = aRun(channel);
  const socket = new WorkerSocket();
  run.socket = socket;
  return { channel, wire, run, socket, open: () => socket.attach(channel, run) };
}

Deno.test("upgradeWebSocket gives a socket and its response", () => {
  const upgrade = createUpgrade(Response);
  const { socket, response } = upgrade(asking(), { protocol: "chat" });
  assert.equal(response.status, 101);
  assert.equal(response.headers.get("sec-websocket-protocol"), "chat");
  assert.equal(socketOf(response), socket);
  assert.equal(socket.protocol, "chat");
  assert.throws(() => upgrade(new Request("http://localhost/")), TypeError);
});

Deno.test("a pair: the client goes into the response, the server is talked to", () => {
  const Wrapped = wrapResponse(Response);
  const pair = new WebSocketPair();
  const [client, server] = Object.values(pair);
  const response = new Wrapped(null, { status: 101, webSocket: client, headers: { x: "y" } } as ResponseInit);
  assert.equal(response.status, 101);
  assert.equal(response.headers.get("x"), "y");
  assert.equal(socketOf(response), server);
  assert.ok(response instanceof Wrapped && response instanceof Response);
  assert.throws(() => new Wrapped(null, { status: 101, webSocket: {} } as ResponseInit), TypeError);
  assert.equal(socketOf(new Wrapped("x")), undefined);
});

Deno.test("a pair can be taken apart as a list", () => {
  const [client, server] = new WebSocketPair() as unknown as Iterable<object>;
  assert.ok(client !== undefined && server instanceof WorkerSocket);
});

Deno.test("the wrapped Response is a Response in all else", async () => {
  const Wrapped = wrapResponse(Response);
  assert.equal(await new Wrapped("text", { status: 201 }).text(), "text");
  assert.deepEqual(await Wrapped.json({ a: 1 }).json(), { a: 1 });
  class Own extends Wrapped {}
  assert.ok(new Own() instanceof Own);
});

Deno.test("messages wait for the opening", async () => {
  const { wire, socket, open } = opened();
  const events: string[] = [];
  socket.onopen = () => events.push("open");
  socket.send("early");
  assert.equal(socket.readyState, WorkerSocket.CONNECTING);
  assert.equal(socket.bufferedAmount, 5);
  open();
  await settle();
  assert.deepEqual(events, ["open"]);
  assert.deepEqual(wire.frames, [[Kind.MESSAGE, Flag.TEXT, 2, "", utf8("early")]]);
  assert.equal(socket.bufferedAmount, 0);
});

Deno.test("text and bytes, in and out", async () => {
  const { wire, socket, open } = opened();
  open();
  const got: unknown[] = [];
  socket.addEventListener("message", (event) => got.push((event as MessageEvent).data));
  socket.received(true, utf8("é"));
  socket.received(false, new Uint8Array([1]));
  socket.send(new Uint8Array([0, 7, 8]).subarray(1));
  socket.send(new Uint16Array([1]).buffer);
  await settle();
  assert.equal(got[0], "é");
  assert.deepEqual(new Uint8Array(got[1] as ArrayBuffer), new Uint8Array([1]));
  const out = wire.frames.filter(([kind]) => kind === Kind.MESSAGE);
  assert.deepEqual(out.map(([, flags, , , body]) => [flags, ...body]), [[0, 7, 8], [0, 1, 0]]);
  const credits = wire.frames.filter(([kind]) => kind === Kind.CREDIT);
  assert.deepEqual(credits.map(([, , , , body]) => body[0]), [2, 1]);
});

Deno.test("a handler that is set again replaces the first", () => {
  const { socket, open } = opened();
  open();
  const got: number[] = [];
  socket.onmessage = () => got.push(1);
  socket.onmessage = () => got.push(2);
  socket.received(true, utf8("x"));
  socket.onmessage = null;
  socket.received(true, utf8("x"));
  assert.deepEqual(got, [2]);
});

Deno.test("a client that reads slowly holds the worker's messages back", async () => {
  const { wire, socket, open } = opened();
  open();
  for (let count = 0; count < 5; count++) socket.send(new Uint8Array(WINDOW_BYTES / 2));
  await settle();
  assert.equal(wire.frames.length, 2);
  assert.equal(socket.bufferedAmount, WINDOW_BYTES / 2 * 3);
  socket.grant(WINDOW_BYTES / 2);
  await settle();
  assert.equal(wire.frames.length, 3);
});

Deno.test("closing waits for the messages before it", async () => {
  const { wire, socket, open } = opened();
  open();
  for (let count = 0; count < 3; count++) socket.send(new Uint8Array(WINDOW_BYTES / 2));
  socket.close(4000, "bye");
  socket.send("after");
  assert.equal(socket.readyState, WorkerSocket.CLOSING);
  await settle();
  assert.equal(wire.frames.length, 2);
  socket.grant(WINDOW_BYTES);
  await settle();
  assert.deepEqual(wire.frames.slice(2).map(([kind, , , head]) => [kind, head]), [
    [Kind.MESSAGE, ""],
    [Kind.CLOSE, '{"code":4000,"reason":"bye"}'],
  ]);
});

Deno.test("the end is told once and ends the run", async () => {
  const { wire, socket, run, open } = opened();
  open();
  const closes: unknown[] = [];
  socket.onclose = (event) => closes.push([(event as CloseEvent).code, (event as CloseEvent).wasClean]);
  socket.closed(1000, "");
  socket.closed(1001, "");
  run.cancel("gone");
  socket.send("late");
  await settle();
  assert.deepEqual(closes, [[1000, true]]);
  assert.deepEqual(wire.frames.map(([kind]) => kind), [Kind.DONE]);
});

Deno.test("a run that is cancelled closes its socket uncleanly", () => {
  const { socket, run, open } = opened();
  open();
  let clean: boolean | null = null;
  socket.onclose = (event) => clean = (event as CloseEvent).wasClean;
  run.cancel("wall");
  assert.equal(clean, false);
  assert.equal(socket.readyState, WorkerSocket.CLOSED);
});

Deno.test("close codes", () => {
  const { socket, open } = opened();
  open();
  for (const code of [0, 999, 5000, -1]) assert.throws(() => socket.close(code), DOMException);
  socket.close();
  assert.equal(socket.readyState, WorkerSocket.CLOSING);
});

Deno.test("a message that is too long kills nobody", async () => {
  const { wire, socket, open } = opened();
  open();
  try {
    socket.send(new Uint8Array(1024 * 1024 + 1));
  } catch {
    // refusing it is one way
  }
  await settle();
  assert.ok(wire.frames.every(([kind, , , , body]) => kind !== Kind.MESSAGE || body.length <= 1024 * 1024));
});
