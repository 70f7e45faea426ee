// One event at once, the others a moment later; ends when the client leaves.
let aborted = 0;
export default {
  fetch(request: Request) {
    if (new URL(request.url).pathname === "/aborted") return Response.json({ aborted });
    request.signal.addEventListener("abort", () => aborted++);
    const encoder = new TextEncoder();
    let timer = 0;
    return new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(encoder.encode("data: first\n\n"));
          timer = setInterval(() => controller.enqueue(encoder.encode("data: more\n\n")), 50);
        },
        cancel: () => clearInterval(timer),
      }),
      { headers: { "content-type": "text/event-stream" } },
    );
  },
};
