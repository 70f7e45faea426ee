/** What `env.API.fetch` sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { createService, ServiceError } from "./client.ts";

interface Sent {
  service: string;
  url: string;
  method: string;
  headers: [string, string][];
  length: number | null;
}
type Body = Uint8Array | ReadableStream<Uint8Array> | undefined;

function recording(reply: Reply | Error) {
  const sent: Sent[] = [];
  const bodies: Body[] = [];
  const signals: (AbortSignal | undefined)[] = [];
  const call: Caller = (_operation, args, body, signal) => {
    sent.push(args as Sent);
    bodies.push(body);
    signals.push(signal);
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { service: createService(call, "api"), sent, bodies, signals };
}

const answered = (status = 200): Reply => ({
  result: { status, headers: [["x-a", "1"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]] },
  body: new TextEncoder().encode("hi"),
});

Deno.test("a path, a URL and a request are sent as they are", async () => {
  const { service, sent, bodies } = recording(answered());
  const answer = await service.fetch("a/b?x=1#part");
  assert.deepEqual([answer.status, answer.headers.get("x-a"), await answer.text()], [200, "1", "hi"]);
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  await service.fetch(new URL("https://other.example.com/x"));
  await service.fetch(new Request("http://h/y", { method: "DELETE", headers: { "x-b": "2" } }));
  assert.deepEqual(sent.map(({ service, url, method }) => [service, url, method]), [
    ["api", "http://api/a/b?x=1", "GET"],
    ["api", "https://other.example.com/x", "GET"],
    ["api", "http://h/y", "DELETE"],
  ]);
  assert.deepEqual(sent[2]!.headers, [["x-b", "2"]]);
  assert.deepEqual(bodies, [undefined, undefined, undefined]);
});

Deno.test("a short body goes whole, a stream as a stream", async () => {
  const { service, sent, bodies } = recording(answered());
  await service.fetch("/", { method: "POST", body: "text" });
  assert.deepEqual(bodies[0], new TextEncoder().encode("text"));
  assert.deepEqual(sent[0]!.headers, [["content-type", "text/plain;charset=UTF-8"]]);
  await service.fetch("/", { method: "POST", body: "x".repeat(200_000) });
  assert.ok(bodies[1] instanceof ReadableStream);
  assert.equal((await new Response(bodies[1]).arrayBuffer()).byteLength, 200_000);
});

Deno.test("a length is believed where it came with the body, and not when headers were taken from elsewhere", async () => {
  const { service, sent } = recording(answered());
  const given = () => new Request("http://h/", { method: "POST", body: "12345", headers: { "content-length": "5" } });
  await service.fetch(given());
  await service.fetch("/other", given());
  const stream = new Response("more than five").body!;
  await service.fetch("/other", { method: "POST", body: stream, headers: given().headers });
  assert.deepEqual(sent.map(({ length }) => length), [5, 5, null]);
});

Deno.test("answers without a body have none", async () => {
  for (const [status, method] of [[204, "GET"], [304, "GET"], [200, "HEAD"]] as const) {
    const answer = await recording(answered(status)).service.fetch("/", { method });
    assert.deepEqual([answer.status, answer.body], [status, null]);
  }
});

Deno.test("a worker that did not answer is an error with its code and reason", async () => {
  const killed = new BindingError("service_killed", "api was stopped", { reason: "memory" });
  await assert.rejects(recording(killed).service.fetch("/"), (error) => {
    assert.ok(error instanceof ServiceError);
    assert.deepEqual([error.code, error.reason, error.cause], ["service_killed", "memory", killed]);
    return true;
  });
  const threw = new BindingError("service_threw", "api threw");
  await assert.rejects(
    recording(threw).service.fetch("/"),
    (error) => error instanceof ServiceError && !("reason" in error && error.reason),
  );
});

Deno.test("what cannot be called is not sent, and the signal goes along", async () => {
  const { service, sent, signals } = recording(answered());
  await assert.rejects(service.fetch("data:text/plain,x"), TypeError);
  await assert.rejects(service.fetch("/", { headers: { upgrade: "websocket" } }), /WebSocket/);
  await assert.rejects(service.fetch("/", { signal: AbortSignal.abort() }));
  assert.deepEqual(sent, []);
  const { signal } = new AbortController();
  await service.fetch("/", { signal });
  assert.equal(signals[0], signal);
});
