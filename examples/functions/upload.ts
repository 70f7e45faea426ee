// Puts a body into the object store, then reads it back. PUT stores, GET fetches, both under the rest of the path.
//
//   curl -T photo.jpg http://localhost:8000/run/upload/photo.jpg
//   curl -o copy.jpg  http://localhost:8000/run/upload/photo.jpg

export default {
  async fetch(request: Request, _env: V8Box.Env, { s3 }: V8Box.Context): Promise<Response> {
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (key === "") return Response.json({ error: "name the object in the path" }, { status: 400 });
    if (request.method === "PUT" || request.method === "POST") {
      const contentType = request.headers.get("Content-Type") ?? "application/octet-stream";
      await s3.put(`uploads/${key}`, request.body ?? "", { httpMetadata: { contentType } });
      const stored = await s3.head(`uploads/${key}`);
      return Response.json({ key, size: stored?.size, etag: stored?.etag }, { status: 201 });
    }
    const object = await s3.get(`uploads/${key}`);
    if (object === null) return Response.json({ error: `there is no ${key}` }, { status: 404 });
    return new Response(object.body, {
      headers: {
        "Content-Type": object.httpMetadata?.contentType ?? "application/octet-stream",
        "Content-Length": String(object.size),
        "ETag": object.httpEtag,
      },
    });
  },
};
