/** A worker's request is a `Request`, for whoever asks it and in whichever order, and its native one is made late. */

import { strict as assert } from "node:assert";
import { eagerClass, lazyClass, requestClass } from "./request.ts";
import { Run } from "./run.ts";

const HEADERS: [string, string][] = [
  ["host", "example.com"],
  ["accept", "text/html"],
  ["accept", "text/plain"],
  ["content-type", "application/json"],
  ["x-latin", "caf\u00e9"],
];
const ADDRESS = "http://EXAMPLE.com:80/a b/?q=1";
const nobody = { send() {} } as unknown as ConstructorParameters<typeof Run>[0];
const bytes = (text: string) => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
const aRun = () => new Run(nobody, 2, "r", () => {});

/** Counts how many native requests are made. */
class Counted extends Request {
  static made = 0;
  constructor(input: RequestInfo | URL, init?: RequestInit) {
    super(input, init);
    Counted.made++;
  }
}

const classes = { eager: eagerClass(Request), lazy: lazyClass(Request) };

for (const [name, Class] of Object.entries(classes)) {
  assert(Class !== null, "this Deno keeps a request in another way: the lazy class has to learn it");
  const make = (method = "GET", body: string | ReadableStream<Uint8Array> | null = null) =>
    new Class(aRun(), method, ADDRESS, HEADERS, () => typeof body === "string" ? bytes(body) : body);

  Deno.test(`${name}: it is a request to everybody`, () => {
    const request = make();
    assert(request instanceof Request);
    assert.equal(Object.prototype.toString.call(request), "[object Request]");
    assert.equal(request.method, "GET");
    assert.equal(request.url, "http://example.com/a%20b/?q=1");
    assert.equal(Object.getOwnPropertyDescriptor(Request.prototype, "url")!.get!.call(request), request.url);
    assert.equal(request.redirect, "follow");
    assert.equal(request.body, null);
    assert.equal(request.bodyUsed, false);
    assert.match(Deno.inspect(request), /host: "example.com"[^]*http:\/\/example.com/);
  });

  Deno.test(`${name}: its headers are all there, and can be changed`, () => {
    const { headers } = make();
    assert.equal(headers.get("Accept"), "text/html, text/plain");
    assert.equal(headers.get("x-latin"), "caf\u00e9");
    assert.deepEqual([...headers.keys()], ["accept", "content-type", "host", "x-latin"]);
    headers.set("accept", "none");
    assert.equal(headers.get("accept"), "none");
    const request = make();
    assert.equal(request.headers, request.headers);
  });

  Deno.test(`${name}: its body is read once, in each way`, async () => {
    assert.deepEqual(await make("POST", '{"a":1}').json(), { a: 1 });
    assert.equal(await make("PUT", "text").text(), "text");
    assert.equal((await make("POST", "text").bytes()).length, 4);
    const blob = await make("POST", "text").blob();
    assert.equal(blob.type, "application/json", "the type is the header's");
    const request = make("POST", "text");
    let read = "";
    for await (const chunk of request.body!) read += new TextDecoder().decode(chunk);
    assert.equal(read, "text");
    assert.equal(request.bodyUsed, true);
    await assert.rejects(() => request.text(), TypeError);
  });

  Deno.test(`${name}: a body that comes as a stream is read as it comes`, async () => {
    const request = make("POST", new Response("one two").body);
    assert.equal(await request.text(), "one two");
  });

  Deno.test(`${name}: a form is read by its type`, async () => {
    const request = new Class(
      aRun(),
      "POST",
      ADDRESS,
      [["content-type", "application/x-www-form-urlencoded"]],
      () => bytes("a=1&b=2"),
    );
    assert.equal((await request.formData()).get("b"), "2");
  });

  Deno.test(`${name}: a copy has what it has, whatever was asked before`, async () => {
    const first = make("POST", "text").clone();
    assert.equal(first.headers.get("accept"), "text/html, text/plain");
    assert.equal(await first.text(), "text");
    const request = make("POST", "text");
    request.headers.append("x-more", "1");
    const second = new Request(request, { headers: { ...Object.fromEntries(request.headers), "x-own": "2" } });
    assert.deepEqual([second.headers.get("x-more"), second.headers.get("x-own")], ["1", "2"]);
    assert.equal(second.method, "POST");
    assert.equal(await second.text(), "text");
    const third = new Request("http://other.example/", make("DELETE"));
    assert.deepEqual([third.method, third.url], ["DELETE", "http://other.example/"]);
    assert.equal(new Request(make()).headers.get("host"), "example.com");
  });

  Deno.test(`${name}: it can be fetched`, async () => {
    const server = Deno.serve(
      { port: 0, onListen() {} },
      async (request) => new Response(`${request.method} ${request.headers.get("x-latin")} ${await request.text()}`),
    );
    const address = `http://localhost:${(server.addr as Deno.NetAddr).port}/`;
    const headers: [string, string][] = [["x-latin", "caf\u00e9"]];
    const request = new Class(aRun(), "POST", address, headers, () => bytes("body"));
    assert.equal(await (await fetch(request)).text(), "POST caf\u00e9 body");
    await server.shutdown();
  });

  Deno.test(`${name}: its signal is the run's`, () => {
    const run = aRun();
    const request = new Class(run, "GET", ADDRESS, HEADERS, () => null);
    assert.equal(request.signal, run.signal);
    run.cancel("gone");
    assert.equal(request.signal.aborted, true);
  });

  Deno.test(`${name}: a method is as the standard writes it`, () => {
    assert.equal(make("post", "x").method, "POST");
    assert.equal(make("Purge").method, "Purge");
    assert.throws(() => make("TRACE").method, TypeError);
  });
}

Deno.test("the native request is made when it is needed, and once", async () => {
  const Class = lazyClass(Counted)!;
  Counted.made = 0;
  const request = new Class(aRun(), "POST", ADDRESS, HEADERS, () => bytes("text"));
  assert.deepEqual([request.method, request.url], ["POST", "http://example.com/a%20b/?q=1"]);
  assert.equal(request.signal.aborted, false);
  assert(request instanceof Counted);
  assert.equal(Counted.made, 0);
  request.headers.get("host");
  await request.text();
  assert.equal(Counted.made, 1);
});

Deno.test("where a request is kept in another way, it is made at once", () => {
  class Other {}
  assert.equal(lazyClass(Other as unknown as typeof Request), null);
  assert.equal(requestClass(), requestClass());
});
