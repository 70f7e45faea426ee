/** What a handler gets as `params`. */

import { strict as assert } from "node:assert";
import { BadParams, bodyKind, formParams, jsonParams, MAX_PARAMS_BYTES, queryParams, readWhole } from "./params.ts";

const URL_ = "http://localhost/";
const utf8 = (text: string) => new TextEncoder().encode(text);
const FORM = "application/x-www-form-urlencoded";

const hasOwn = (params: object, key: string) => Object.getOwnPropertyDescriptor(params, key)?.value;

Deno.test("the query", () => {
  assert.deepEqual(queryParams(URL_), {});
  assert.deepEqual(queryParams(`${URL_}?`), {});
  assert.deepEqual(queryParams(`${URL_}?a=1&b=&c&a=2&a=3&%C3%A9=%20+`), { a: ["1", "2", "3"], b: "", c: "", é: "  " });
  assert.deepEqual(queryParams(`${URL_}?bad=%ff%zz`), { bad: "\ufffd%zz" });
});

Deno.test("names that a plain object has already are names like any other", () => {
  const params = queryParams(`${URL_}?__proto__=1&constructor=2&toString=3&__proto__=4`);
  assert.deepEqual(hasOwn(params, "__proto__"), ["1", "4"]);
  assert.equal(hasOwn(params, "constructor"), "2");
  assert.equal(hasOwn(params, "toString"), "3");
  assert.equal(Object.getPrototypeOf(params), Object.prototype);
});

Deno.test("which bodies become params", () => {
  assert.equal(bodyKind("application/json"), "json");
  assert.equal(bodyKind("Application/JSON ; charset=utf-8"), "json");
  assert.equal(bodyKind("application/ld+json"), "json");
  assert.equal(bodyKind(FORM), "form");
  assert.equal(bodyKind("multipart/form-data; boundary=x"), "form");
  for (const other of [null, "", "text/plain", "application/jsonx", "application/octet-stream"]) {
    assert.equal(bodyKind(other), null);
  }
});

Deno.test("JSON is merged over the query", () => {
  assert.deepEqual(jsonParams(`${URL_}?a=1&b=2`, utf8('{"b":{"c":[1]},"d":null}')), {
    a: "1",
    b: { c: [1] },
    d: null,
  });
  assert.deepEqual(jsonParams(`${URL_}?a=1`, utf8("")), { a: "1" });
});

Deno.test("JSON that is no object becomes params.body", () => {
  for (const value of [[1, 2], "text", 5, false, null]) {
    assert.deepEqual(jsonParams(URL_, utf8(JSON.stringify(value))), { body: value });
  }
});

Deno.test("JSON cannot change a prototype", () => {
  const params = jsonParams(`${URL_}?__proto__=q`, utf8('{"__proto__":{"admin":true},"a":1}'));
  assert.equal(Object.getPrototypeOf(params), Object.prototype);
  assert.equal(params.admin, undefined);
  assert.deepEqual(hasOwn(params, "__proto__"), { admin: true });
});

Deno.test("what is no JSON is the caller's fault", () => {
  for (
    const bad of [utf8("{"), utf8("{a:1}"), utf8("NaN"), new Uint8Array([34, 0xff, 34]), utf8("[".repeat(100_000))]
  ) {
    assert.throws(() => jsonParams(URL_, bad), (error) => error instanceof BadParams && error.status === 400);
  }
});

Deno.test("a form's fields, several of a name", async () => {
  assert.deepEqual(await formParams(`${URL_}?a=q&z=1`, utf8("a=1&b=x+y&b=%C3%A9"), FORM), {
    a: "1",
    b: ["x y", "é"],
    z: "1",
  });
});

Deno.test("a multipart form with a file", async () => {
  const body = new FormData();
  body.append("name", "v");
  body.append("file", new File(["content"], "a.txt", { type: "text/plain" }));
  const packed = new Response(body);
  const params = await formParams(URL_, await packed.bytes(), packed.headers.get("content-type")!);
  assert.equal(params.name, "v");
  assert.ok(params.file instanceof File);
  assert.deepEqual([params.file.name, await params.file.text()], ["a.txt", "content"]);
});

Deno.test("what is no form is the caller's fault", async () => {
  for (const type of ["multipart/form-data", "multipart/form-data; boundary=x"]) {
    await assert.rejects(
      formParams(URL_, utf8("nonsense"), type),
      (error) => error instanceof BadParams && error.status === 400,
    );
  }
});

Deno.test("a form's __proto__ is a name like any other", async () => {
  const params = await formParams(URL_, utf8("__proto__=1&__proto__=2"), FORM);
  assert.equal(Object.getPrototypeOf(params), Object.prototype);
  assert.deepEqual(hasOwn(params, "__proto__"), ["1", "2"]);
});

Deno.test("a field that is given often costs no more than its length", async () => {
  // Posting `a&a&a&…` would otherwise be a cheap way to use up the processor time of any worker.
  const native = Array.prototype[Symbol.iterator];
  let copied = 0;
  const body = utf8("a&".repeat(2000));
  Array.prototype[Symbol.iterator] = function () {
    copied += this.length;
    return native.call(this);
  };
  try {
    await formParams(URL_, body, FORM);
  } finally {
    Array.prototype[Symbol.iterator] = native;
  }
  assert.ok(copied < 20_000, `${copied} items were copied for 2000 fields`);
});

Deno.test("a streamed body is read whole, up to a bound", async () => {
  const stream = (chunks: number, size: number) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (chunks-- > 0) controller.enqueue(new Uint8Array(size).fill(1));
        else controller.close();
      },
    });
  assert.deepEqual(await readWhole(stream(3, 2)), new Uint8Array(6).fill(1));
  assert.equal((await readWhole(stream(16, 1 << 20))).length, MAX_PARAMS_BYTES);
  await assert.rejects(readWhole(stream(17, 1 << 20)), (error) => error instanceof BadParams && error.status === 413);
});
