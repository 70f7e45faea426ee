/** Says how often it ran in this process, with the headers that the query names. */
let runs = 0;

export default {
  async fetch(request: Request): Promise<Response> {
    runs += 1;
    const url = new URL(request.url);
    const wait = Number(url.searchParams.get("wait") ?? 0);
    if (wait > 0) {
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
    if (request.headers.has("x-burn")) {
      while (true) { /* until the limit */ }
    }
    const size = Number(url.searchParams.get("size") ?? 0);
    const body = size > 0 ? "x".repeat(size) : `${runs} ${crypto.randomUUID()}`;
    return new Response(request.method === "GET" ? body : null, {
      headers: {
        "cache-control": url.searchParams.get("control") ?? "max-age=600",
        "cache-tag": url.pathname.slice(1) || "root",
        "etag": '"1"',
      },
    });
  },
};
