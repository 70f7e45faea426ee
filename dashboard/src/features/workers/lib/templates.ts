// What a new worker may begin as. Each is whole: it runs as it is.
export interface Template {
  id: string;
  title: string;
  about: { en: string; id: string };
  files: Record<string, string>;
  /** What its test panel begins with. */
  request?: { method: string; path: string; body?: string };
}

export const TEMPLATES: readonly Template[] = [
  {
    id: "hello",
    title: "Hello",
    about: { en: "One function, its params, an answer.", id: "Satu fungsi, parameternya, satu jawaban." },
    request: { method: "POST", path: "/", body: '{ "name": "Ana" }' },
    files: {
      "main.ts": `// Params come from the query and the JSON body; what is returned is the answer.
export default (({ log }, params) => {
  const name = String(params.name ?? "world");
  log.info("greeting", { name });
  return { greeting: \`Hello, \${name}!\` };
}) satisfies V8Box.Handler;
`,
    },
  },
  {
    id: "rest",
    title: "REST API",
    about: {
      en: "Routes by method and path, JSON in and out.",
      id: "Rute menurut metode dan jalur, JSON masuk dan keluar.",
    },
    request: { method: "GET", path: "/todos" },
    files: {
      "main.ts": `// Todos in the cache: GET /todos, POST /todos {"title": "…"}, DELETE /todos/<id>.
export default {
  async fetch(request, _env, { cache }) {
    const { pathname } = new URL(request.url);
    const [, collection, id] = pathname.split("/");
    if (collection !== "todos") return Response.json({ error: "There is only /todos." }, { status: 404 });

    if (request.method === "GET" && !id) {
      const all = await cache.hgetall("todos");
      return Response.json(Object.entries(all).map(([id, title]) => ({ id, title })));
    }
    if (request.method === "POST" && !id) {
      const body = await request.json().catch(() => null) as { title?: unknown } | null;
      if (typeof body?.title !== "string" || body.title === "") {
        return Response.json({ error: "A todo has a title." }, { status: 400 });
      }
      const made = crypto.randomUUID();
      await cache.hset("todos", made, body.title);
      return Response.json({ id: made, title: body.title }, { status: 201 });
    }
    if (request.method === "DELETE" && id) {
      const removed = await cache.hdel("todos", id);
      return new Response(null, { status: removed ? 204 : 404 });
    }
    return Response.json({ error: "Not here." }, { status: 405 });
  },
} satisfies V8Box.Module;
`,
    },
  },
  {
    id: "crud",
    title: "CRUD",
    about: {
      en: "A table in the database: list, add, change, remove.",
      id: "Satu tabel di database: lihat, tambah, ubah, hapus.",
    },
    request: { method: "POST", path: "/", body: '{ "title": "first" }' },
    files: {
      "main.ts": `// Notes in the database. The table is made at the first request.
let ready: Promise<unknown> | undefined;

export default {
  async fetch(request, _env, { db }) {
    ready ??= db.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, at TEXT NOT NULL)");
    await ready;
    const id = Number(new URL(request.url).pathname.slice(1)) || null;
    switch (request.method) {
      case "GET": {
        const { rows } = id === null
          ? await db.execute("SELECT id, title, at FROM notes ORDER BY id DESC LIMIT 100")
          : await db.execute("SELECT id, title, at FROM notes WHERE id = ?", [id]);
        if (id !== null && rows.length === 0) return Response.json({ error: "There is no such note." }, { status: 404 });
        return Response.json(id === null ? rows : rows[0]);
      }
      case "POST":
      case "PUT": {
        const { title } = await request.json() as { title?: string };
        if (!title) return Response.json({ error: "A note has a title." }, { status: 400 });
        const { rows } = id === null
          ? await db.execute("INSERT INTO notes (title, at) VALUES (?, datetime()) RETURNING id, title, at", [title])
          : await db.execute("UPDATE notes SET title = ? WHERE id = ? RETURNING id, title, at", [title, id]);
        return rows.length > 0 ? Response.json(rows[0]) : Response.json({ error: "There is no such note." }, { status: 404 });
      }
      case "DELETE": {
        const { rowsAffected } = await db.execute("DELETE FROM notes WHERE id = ?", [id]);
        return new Response(null, { status: rowsAffected > 0 ? 204 : 404 });
      }
      default:
        return Response.json({ error: "GET, POST, PUT, DELETE." }, { status: 405 });
    }
  },
} satisfies V8Box.Module;
`,
    },
  },
  {
    id: "webhook",
    title: "Webhook",
    about: {
      en: "Takes GitHub's webhooks, and checks their signature.",
      id: "Menerima webhook GitHub, dan memeriksa tanda tangannya.",
    },
    request: { method: "POST", path: "/", body: '{ "action": "opened" }' },
    files: {
      "main.ts": `// Set the secret WEBHOOK_SECRET; GitHub signs each delivery with it (X-Hub-Signature-256).
interface Env {
  WEBHOOK_SECRET?: string;
}

export default {
  async fetch(request, env, { log }) {
    if (request.method !== "POST") return new Response("POST only", { status: 405 });
    if (!env.WEBHOOK_SECRET) return new Response("WEBHOOK_SECRET is not set", { status: 503 });
    const body = new Uint8Array(await request.arrayBuffer());
    const signature = request.headers.get("x-hub-signature-256") ?? "";
    if (!await isSigned(body, signature, env.WEBHOOK_SECRET)) return new Response("bad signature", { status: 401 });

    const event = JSON.parse(new TextDecoder().decode(body)) as { action?: string };
    log.info("delivery", { event: request.headers.get("x-github-event"), action: event.action });
    return Response.json({ taken: true });
  },
} satisfies V8Box.Module<Env>;

async function isSigned(body: Uint8Array<ArrayBuffer>, signature: string, secret: string): Promise<boolean> {
  const hex = signature.replace(/^sha256=/, "");
  if (!/^[0-9a-f]{64}$/.test(hex)) return false;
  const given = Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, ["verify"]);
  return await crypto.subtle.verify("HMAC", key, given, body); // compares in constant time
}
`,
    },
  },
  {
    id: "hono",
    title: "Hono",
    about: { en: "The Hono framework, from npm.", id: "Kerangka Hono, dari npm." },
    request: { method: "GET", path: "/hello/ana" },
    files: {
      "main.ts": `import { Hono } from "npm:hono@4";

const app = new Hono();

app.get("/", (c) => c.text("Try /hello/<name>"));
app.get("/hello/:name", (c) => c.json({ greeting: \`Hello, \${c.req.param("name")}!\` }));
app.notFound((c) => c.json({ error: "There is nothing here." }, 404));

export default app;
`,
    },
  },
  {
    id: "sse",
    title: "Server-sent events",
    about: { en: "A stream that goes on: one event a second.", id: "Aliran yang berlanjut: satu peristiwa per detik." },
    request: { method: "GET", path: "/?count=3" },
    files: {
      "main.ts": `// Listen with: new EventSource("/run/<name>?count=10")
export default {
  fetch(request) {
    const count = Math.min(Number(new URL(request.url).searchParams.get("count")) || 10, 100);
    const encoder = new TextEncoder();
    const stream = new ReadableStream({
      async start(controller) {
        for (let n = 1; n <= count && !request.signal.aborted; n++) {
          controller.enqueue(encoder.encode(\`id: \${n}\\ndata: \${JSON.stringify({ n, at: new Date() })}\\n\\n\`));
          if (n < count) await new Promise((resolve) => setTimeout(resolve, 1000));
        }
        controller.close();
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
  },
} satisfies V8Box.Module;
`,
    },
  },
  {
    id: "websocket",
    title: "WebSocket room",
    about: { en: "Everybody in a room hears everybody.", id: "Semua orang di ruang saling mendengar." },
    request: { method: "GET", path: "/" },
    files: {
      "main.ts":
        `// Join with: new WebSocket("ws://…/run/<name>?room=lobby"). Rooms reach over processes through the cache.
export default {
  async fetch(request, _env, { cache }) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("A WebSocket, please.", { status: 426 });
    const room = "room:" + (new URL(request.url).searchParams.get("room") ?? "lobby");
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    const heard = await cache.subscribe(room);
    (async () => {
      for await (const { message } of heard) server.send(message);
    })().catch(() => server.close());
    server.addEventListener("message", ({ data }) => void cache.publish(room, String(data).slice(0, 4096)));
    server.addEventListener("close", () => void heard.close());
    return new Response(null, { status: 101, webSocket: client });
  },
} satisfies V8Box.Module;
`,
      "v8box.toml": "[limits]\nmax_instances = 4\n",
    },
  },
];
