// The web's own shape: a Request in, a Response out. The body streams through, whatever its size.
//
//   curl -X POST --data-binary "any bytes" "http://localhost:8000/run/echo/some/path?x=1"
//   curl -i "http://localhost:8000/run/echo"

export default {
  fetch(request: Request): Response {
    const url = new URL(request.url);
    const headers = { "X-Echo-Method": request.method, "X-Echo-Path": url.pathname + url.search };
    if (request.body === null) {
      return Response.json(
        { method: request.method, path: url.pathname, query: Object.fromEntries(url.searchParams) },
        {
          headers,
        },
      );
    }
    const type = request.headers.get("Content-Type") ?? "application/octet-stream";
    return new Response(request.body, { headers: { ...headers, "Content-Type": type } });
  },
};
