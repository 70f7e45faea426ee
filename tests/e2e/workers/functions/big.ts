export default {
  async fetch(request: Request) {
    if (request.method === "GET") {
      let left = Number(new URL(request.url).searchParams.get("mb")) * 16;
      const chunk = new Uint8Array(64 * 1024).fill(97);
      return new Response(
        new ReadableStream({
          pull(controller) {
            if (left-- > 0) controller.enqueue(chunk);
            else controller.close();
          },
        }),
      );
    }
    let size = 0;
    for await (const chunk of request.body ?? []) size += chunk.length;
    return Response.json({ size });
  },
};
