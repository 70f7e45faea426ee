// One get of a KV namespace.
export default {
  async fetch(request, env) {
    const { search } = new URL(request.url);
    if (search === "") return new Response("ready");
    if (search === "?setup") await env.KV.put("bench", "one");
    return Response.json(await env.KV.get("bench"));
  },
};
