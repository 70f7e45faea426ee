/** What clients outside have left, seen from inside, and URLs for them. */

export default {
  async fetch(request, _env, { db, s3 }) {
    if (new URL(request.url).searchParams.get("of") === "db") {
      const { rows } = await db.execute("SELECT name FROM guests ORDER BY id");
      return Response.json(rows.map((row) => row.name));
    }
    const object = await s3.get("from outside/ü.txt");
    return Response.json({
      text: await object.text(),
      type: object.httpMetadata.contentType,
      custom: object.customMetadata,
      get: await s3.createPresignedUrl(object.key, { responseContentDisposition: "attachment" }),
      put: await s3.createPresignedUrl("inbox", { method: "PUT", contentType: "text/plain" }),
      remove: await s3.createPresignedUrl("inbox", { method: "DELETE" }),
      inbox: await (await s3.get("inbox"))?.text(),
    });
  },
};
