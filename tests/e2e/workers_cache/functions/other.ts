export default {
  async fetch(_request: Request, env: { KV: V8Box.KVNamespace }): Promise<Response> {
    return Response.json((await env.KV.list()).keys);
  },
};
