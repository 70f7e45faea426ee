/** What goes out with a fetch, and what the box hears of it. */

import { strict as assert } from "node:assert";
import { connected, settle } from "./fakes_test.ts";
import { Flag, Kind } from "./protocol.ts";
import { Run } from "./run.ts";
import { fetchOf } from "./tracing.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

function bench(headers: [string, string][] = [["traceparent", PARENT]]) {
  const { channel, socket } = connected();
  const run = new Run(channel, 2, "id", () => {});
  run.headers = headers;
  const asked: Request[] = [];
  const native = (input: RequestInfo | URL, init?: RequestInit) => {
    asked.push(new Request(input, init));
    return Promise.resolve(new Response("ok", { status: 201 }));
  };
  const heads = async () => {
    await settle();
    return socket.frames.filter(([kind]) => kind === Kind.FETCH).map(([, flags, stream, head]) => {
      assert.equal(stream, 2);
      return [flags, JSON.parse(head)];
    });
  };
  return { run, asked, native, heads };
}

Deno.test("a fetch carries the run's trace with a span of its own, and the box hears where it went", async () => {
  const { run, asked, native, heads } = bench([["traceparent", PARENT], ["tracestate", "a=1"]]);
  const url = "https://api.example.com:8443/private/token?key=secret";
  const response = await fetchOf(run, native, url, { method: "POST", body: "x", headers: { "x-a": "b" } });
  assert.equal(response.status, 201);
  const sent = asked[0]!;
  const [version, trace, span, flags] = sent.headers.get("traceparent")!.split("-");
  assert.deepEqual([version, trace, flags], ["00", TRACE, "01"]);
  assert.match(span!, /^[0-9a-f]{16}$/);
  assert.notEqual(span, "b7ad6b7169203331");
  assert.deepEqual([sent.headers.get("tracestate"), sent.headers.get("x-a"), sent.url], ["a=1", "b", url]);
  assert.equal(await sent.text(), "x");
  assert.deepEqual(await heads(), [
    [0, [1, "POST", "api.example.com:8443", span]],
    [Flag.END, [1, 201, ""]],
  ]);
});

Deno.test("a request that has a traceparent keeps it", async () => {
  const { run, asked, native, heads } = bench();
  const own = "00-11111111111111111111111111111111-2222222222222222-00";
  await fetchOf(run, native, new Request("http://a.test/", { headers: { traceparent: own } }));
  assert.equal(asked[0]!.headers.get("traceparent"), own);
  assert.deepEqual((await heads())[0], [0, [1, "GET", "a.test", ""]]);
});

Deno.test("another request's properties are taken as the second argument, as fetch takes them", async () => {
  const { run, asked, native } = bench();
  const first = new Request("http://a.test/", { method: "PUT", body: "body", headers: { "x-a": "b" } });
  await fetchOf(run, native, "http://b.test/", first);
  const sent = asked[0]!;
  assert.deepEqual([sent.method, sent.headers.get("x-a"), await sent.text()], ["PUT", "b", "body"]);
});

Deno.test("a fetch that fails is told by its error's name alone", async () => {
  const { run, heads } = bench();
  const native = () => Promise.reject(new TypeError("connect to 10.0.0.1: secret"));
  await assert.rejects(fetchOf(run, native, "http://a.test/x"), TypeError);
  assert.deepEqual((await heads())[1], [Flag.END, [1, 0, "TypeError"]]);
});

Deno.test("without a trace, and for what is no host, nothing is told", async () => {
  const none = bench([]);
  await fetchOf(none.run, none.native, "http://a.test/");
  assert.equal(none.asked[0]!.headers.get("traceparent"), null);
  assert.deepEqual(await none.heads(), []);
  const data = bench();
  await fetchOf(data.run, data.native, "data:text/plain,x");
  assert.deepEqual(await data.heads(), []);
});

Deno.test("the box hears of the first hundred, and of none after the run's end", async () => {
  const { run, asked, native, heads } = bench();
  for (let count = 0; count < 120; count++) await fetchOf(run, native, "http://a.test/");
  assert.equal(asked.filter(({ headers }) => headers.has("traceparent")).length, 120);
  assert.equal((await heads()).length, 200);
  const late = bench();
  late.run.finish(false);
  await fetchOf(late.run, late.native, "http://a.test/");
  assert.deepEqual(await late.heads(), []);
});
