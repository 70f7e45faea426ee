/** Which file of a site's functions answers, and what it is given. */

import { strict as assert } from "node:assert";
import { type FunctionFile, route } from "./functions.ts";

const FILES: Record<string, string> = { "/about": "about", "/admin/page": "page", "/hello/file": "file" };

function ask(
  files: FunctionFile[],
  middleware: FunctionFile[],
  path: string,
  init?: RequestInit,
  env: Record<string, unknown> = {},
): Promise<unknown> {
  const ASSETS = {
    fetch: (input: Request | URL) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const text = FILES[url.pathname];
      return Promise.resolve(new Response(text ?? "no file", { status: text === undefined ? 404 : 200 }));
    },
  };
  const request = new Request(`http://blog.localhost${path}`, init);
  return route(files, middleware)({ request, env: { ASSETS, ...env }, worker: "blog--x" });
}

// deno-lint-ignore no-explicit-any
type Event = any;

function file(path: string, module: Record<string, unknown>): FunctionFile {
  const name = path.replace(/:(\w+)/g, "[$1]").replace(/\*(\w+)/g, "[[$1]]");
  const parts = path.split("/").filter((part) => part !== "" && part !== "index");
  return { path: parts, file: `functions/${name}.ts`, module };
}

const echo = { onRequest: ({ params, functionPath }: Event) => Response.json({ params, functionPath }) };

Deno.test("a file answers its path, with what its placeholders stand for", async () => {
  const files = [file("users/:id", echo), file("users/*rest", echo)];
  const one = await ask(files, [], "/users/a%20b") as Response;
  assert.deepEqual(await one.json(), { params: { id: "a b" }, functionPath: "/users/a%20b" });
  const many = await ask(files, [], "/users/1/2") as Response;
  assert.deepEqual((await many.json()).params, { rest: ["1", "2"] });
});

Deno.test("the function of the method goes first; for other methods there are the files", async () => {
  const files = [
    file("about", { onRequestPost: () => new Response("posted"), onRequestGet: undefined }),
    file("both", { onRequest: () => new Response("any"), onRequestPut: () => new Response("put") }),
  ];
  assert.deepEqual(await (await ask(files, [], "/about", { method: "POST" }) as Response).text(), "posted");
  assert.deepEqual(await (await ask(files, [], "/about") as Response).text(), "about");
  assert.deepEqual(await (await ask(files, [], "/both", { method: "PUT" }) as Response).text(), "put");
  assert.deepEqual(await (await ask(files, [], "/both") as Response).text(), "any");
  assert.deepEqual((await ask(files, [], "/about/below", { method: "POST" }) as Response).status, 200);
});

Deno.test("HEAD is answered by the function for GET", async () => {
  const files = [file("x", { onRequestGet: () => new Response("got") })];
  assert.deepEqual(await (await ask(files, [], "/x", { method: "HEAD" }) as Response).text(), "got");
});

Deno.test("an object with fetch and a V8Box handler are functions, too", async () => {
  const files = [
    file("app", { default: { fetch: (request: Request) => new Response(new URL(request.url).pathname) } }),
    file("sum/:a", { default: (_: Event, params: Record<string, unknown>) => params }),
    file("nothing", { default: { fetch: () => "text" } }),
  ];
  assert.deepEqual(await (await ask(files, [], "/app/deep") as Response).text(), "/app/deep");
  const json = { method: "POST", body: '{"b": 2}', headers: { "content-type": "application/json" } };
  assert.deepEqual(await ask(files, [], "/sum/1?c=3", json), { a: "1", b: 2, c: "3" });
  await assert.rejects(() => ask(files, [], "/nothing"), /no Response/);
});

Deno.test("a module without a function is refused when the worker starts, by its name", () => {
  assert.throws(() => route([file("x", { helper: 1 })], []), /functions\/x.ts exports no function/);
});

Deno.test("middleware runs around functions and files, the outer folder's first, and may share data", async () => {
  const outer = {
    onRequest: [
      async ({ next, data }: Event) => {
        data.user = "ada";
        const answer = await next();
        return new Response(`outer(${await answer.text()})`, answer);
      },
      ({ next }: Event) => next(),
    ],
  };
  const inner = { onRequest: ({ request, next }: Event) => request.headers.has("stop") ? new Response("no") : next() };
  const middleware = [file("", outer), file("admin", inner)];
  const files = [
    file("admin/me", { onRequest: ({ data }: Event) => new Response(data.user) }),
    file("value", { default: () => 42 }),
  ];
  const text = async (path: string, init?: RequestInit) =>
    await (await ask(files, middleware, path, init) as Response).text();
  assert.deepEqual(await text("/admin/me"), "outer(ada)");
  assert.deepEqual(await text("/admin/page"), "outer(page)");
  assert.deepEqual(await text("/admin/page", { headers: { stop: "1" } }), "outer(no)");
  assert.deepEqual(await text("/about"), "outer(about)");
  assert.deepEqual(JSON.parse((await text("/value")).slice(6, -1)).data, 42);
});

Deno.test("what lies below a file's path is a file first, where middleware stands before both", async () => {
  const files = [
    file("hello", { onRequest: async ({ request }: Event) => new Response(await request.text() || "fn") }),
  ];
  const pass = [file("", { onRequest: ({ next }: Event) => next() })];
  assert.deepEqual(await (await ask(files, pass, "/hello/file") as Response).text(), "file");
  assert.deepEqual(await (await ask(files, pass, "/hello/other") as Response).text(), "fn");
  const post = { method: "POST", body: "kept" };
  assert.deepEqual(await (await ask(files, pass, "/hello/other", post) as Response).text(), "kept");
});

Deno.test("next passes another request on", async () => {
  const files = [file("x", { onRequest: ({ request }: Event) => new Response(request.headers.get("added")) })];
  const add = {
    onRequest: ({ request, next }: Event) => next(new Request(request, { headers: { added: "yes" } })),
  };
  assert.deepEqual(await (await ask(files, [file("", add)], "/x") as Response).text(), "yes");
  const away = { onRequest: ({ next }: Event) => next("/about") };
  assert.deepEqual(await (await ask([], [file("", away)], "/nothing") as Response).text(), "about");
});

Deno.test("at a preview, a look-up by path asks for the preview's own files", async () => {
  const asked: [string, string | null][] = [];
  const ASSETS = {
    fetch: (url: URL, init: RequestInit) => {
      asked.push([url.href, new Headers(init.headers).get("x-forwarded-prefix")]);
      return Promise.resolve(new Response("file"));
    },
  };
  const files = [file("x", { onRequest: ({ env }: Event) => env.ASSETS.fetch("https://anything/a?b") })];
  const env = { ASSETS, V8BOX_ENV: "preview", KEY: "kept" };
  await ask(files, [], "/x", { headers: { "x-forwarded-prefix": "/pages/ab--blog" } }, env);
  assert.deepEqual(asked, [["http://blog.localhost/a?b", "/pages/ab--blog"]]);
});
