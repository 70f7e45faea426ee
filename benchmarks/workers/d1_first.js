// One point read of a D1 database.
export default {
  async fetch(request, env) {
    const { search } = new URL(request.url);
    if (search === "") return new Response("ready");
    if (search === "?setup") {
      await env.DB.prepare("CREATE TABLE IF NOT EXISTS bench (id INTEGER PRIMARY KEY, value TEXT)").run();
      await env.DB.prepare("INSERT OR REPLACE INTO bench (id, value) VALUES (1, 'one')").run();
    }
    const row = await env.DB.prepare("SELECT value FROM bench WHERE id = ?").bind(1).first();
    return Response.json(row);
  },
};
