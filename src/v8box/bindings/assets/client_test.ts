/** What `env.ASSETS.fetch` sends and makes of answers, against a caller that only records. */

import { strict as assert } from "node:assert";
import { BindingError, type Caller, type Reply } from "../../runtime/binding.ts";
import { AssetsError, createAssets } from "./client.ts";

interface Sent {
  site: string;
  url: string;
  method: string;
  follow: boolean;
  headers: [string, string][];
}

function recording(reply: Reply | Error): { call: Caller; sent: Sent[] } {
  const sent: Sent[] = [];
  const call: Caller = (_operation, args) => {
    sent.push(args as Sent);
    return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
  };
  return { call, sent };
}

const found = (status = 200): Reply => ({
  result: { status, headers: [["etag", '"1"'], ["content-type", "text/html"]] },
  body: new TextEncoder().encode("<h1>"),
});

Deno.test("a path, a URL and a request are asked for", async () => {
  const { call, sent } = recording(found());
  const assets = createAssets(call, "blog");
  const answer = await assets.fetch("a b.html?x=1");
  assert.equal(answer.headers.get("etag"), '"1"');
  assert.equal(await answer.text(), "<h1>");
  await assets.fetch(new URL("https://blog.example.com/x"));
  await assets.fetch(new Request("https://blog.example.com/y", { headers: { range: "bytes=0-1" } }));
  await assets.fetch(new Request("https://blog.example.com/z"), { redirect: "follow" });
  await assets.fetch("/w", { redirect: "manual", method: "head" });
  assert.deepEqual(sent.map(({ site, url, method, follow }) => [site, url, method, follow]), [
    ["blog", "http://assets/a%20b.html?x=1", "GET", true],
    ["blog", "https://blog.example.com/x", "GET", true],
    ["blog", "https://blog.example.com/y", "GET", false],
    ["blog", "https://blog.example.com/z", "GET", true],
    ["blog", "http://assets/w", "HEAD", false],
  ]);
  assert.deepEqual(sent[2]?.headers, [["range", "bytes=0-1"]]);
});

Deno.test("answers without a body have none", async () => {
  for (const [status, method] of [[304, "GET"], [200, "HEAD"]] as const) {
    const answer = await createAssets(recording(found(status)).call, "blog").fetch("/", { method });
    assert.equal(answer.status, status);
    assert.equal(answer.body, null);
  }
});

Deno.test("what is refused has its code, and what is no address is not sent", async () => {
  const refused = createAssets(recording(new BindingError("site_not_granted", "no")).call, "other");
  await assert.rejects(
    refused.fetch("/"),
    (error) => error instanceof AssetsError && error.code === "site_not_granted",
  );
  const { call, sent } = recording(found());
  await assert.rejects(createAssets(call, "blog").fetch("data:text/plain,x"), TypeError);
  await assert.rejects(createAssets(call, "blog").fetch("/", { signal: AbortSignal.abort() }));
  assert.deepEqual(sent, []);
});
