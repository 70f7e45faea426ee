/** Which export of a module answers. */

import { strict as assert } from "node:assert";
import type { Kept } from "./globals.ts";
import { findHandler } from "./invoke.ts";

const kept = (served: Kept["served"] = null): Kept => ({ Response: null, served, setEnv() {} });

Deno.test("a function is a V8Box handler", () => {
  const handler = () => 1;
  assert.deepEqual(findHandler({ default: handler }, kept()), { shape: "handler", call: handler, self: undefined });
});

Deno.test("an object with fetch is a module, and fetch keeps its this", () => {
  const entry = { fetch() {} };
  assert.deepEqual(findHandler({ default: entry }, kept()), { shape: "module", call: entry.fetch, self: entry });
});

Deno.test("a function with fetch is a module, as some frameworks' apps are", () => {
  const app = Object.assign(() => 1, { fetch() {} });
  const found = findHandler({ default: app }, kept());
  assert.deepEqual([found.shape, found.call, found.self], ["module", app.fetch, app]);
});

Deno.test("an instance whose class has fetch is a module", () => {
  class App {
    fetch() {}
  }
  const app = new App();
  assert.equal(findHandler({ default: app }, kept()).self, app);
});

Deno.test("without an export, Deno.serve's handler answers", () => {
  const served = () => new Response();
  assert.deepEqual(findHandler({}, kept(served)), { shape: "module", call: served, self: undefined });
});

Deno.test("an export goes before Deno.serve", () => {
  const handler = () => 1;
  assert.equal(findHandler({ default: handler }, kept(() => new Response())).call, handler);
});

Deno.test("what is no handler says what one looks like", () => {
  for (const entry of [undefined, null, 5, "x", {}, { fetch: 5 }, []]) {
    assert.throws(() => findHandler({ default: entry }, kept()), /export default/);
  }
});
