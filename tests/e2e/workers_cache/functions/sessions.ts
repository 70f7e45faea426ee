/** A session store as people write it for Cloudflare's KV. */
interface Env {
  KV: V8Box.KVNamespace;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const id = new URL(request.url).searchParams.get("id") ?? "";
    switch (request.method) {
      case "PUT":
        await env.KV.put(`session:${id}`, request.body!, { expirationTtl: 3600, metadata: { device: "phone" } });
        return new Response(null, { status: 204 });
      case "DELETE":
        await env.KV.delete(`session:${id}`);
        return new Response(null, { status: 204 });
      case "POST": {
        for (let number = 0; number < 25; number++) {
          await env.KV.put(`page:${String(number).padStart(2, "0")}`, `${number}`);
        }
        const names: string[] = [];
        let cursor: string | undefined;
        do {
          const page: V8Box.KvListing = await env.KV.list({ prefix: "page:", limit: 10, cursor });
          names.push(...page.keys.map((key) => key.name));
          cursor = page.list_complete ? undefined : page.cursor;
        } while (cursor !== undefined);
        const many = await env.KV.get(["page:00", "page:24", "page:none"]);
        return Response.json({ names, many: [...many] });
      }
    }
    const { value, metadata } = await env.KV.getWithMetadata<{ user: string }, { device: string }>(
      `session:${id}`,
      "json",
    );
    if (value === null) return new Response("no session", { status: 404 });
    const { keys, list_complete } = await env.KV.list({ prefix: "session:" });
    const bytes = (await env.KV.get(`session:${id}`, "arrayBuffer"))!.byteLength;
    const stream = await env.KV.get(`session:${id}`, { type: "stream", cacheTtl: 60 });
    const text = await new Response(stream).text();
    return Response.json({
      user: value.user,
      metadata,
      names: keys.map((key) => key.name),
      expires: keys[0].expiration! > Date.now() / 1000,
      list_complete,
      same: text.length === bytes,
    });
  },
};
