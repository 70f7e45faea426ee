export default function (_: unknown, { what }: { what: string }) {
  switch (what) {
    case "string":
      throw "just a string";
    case "nothing":
      return;
    case "circular": {
      const circle: { self?: unknown } = {};
      circle.self = circle;
      return circle;
    }
    case "huge":
      return "x".repeat(3_000_000);
    case "header":
      return new Response("", { headers: { "bad name": "x" } });
    case "status":
      return new Response("", { status: 42 });
    case "error response":
      return Response.error();
    case "null":
      throw null;
    case "proxy":
      throw new Proxy({}, { get: () => { throw new Error("no"); } });
    case "getter":
      throw Object.defineProperty(new Error("x"), "message", { get: () => { throw new Error("no"); } });
    case "status error":
      throw Object.assign(new Error("no such thing"), { status: 404 });
    case "bigint":
      return 2n ** 60n;
    case "rejection":
      Promise.reject(new Error("nobody waits for this"));
      setTimeout(() => {
        throw new Error("thrown from a timer");
      });
      return new Promise((resolve) => setTimeout(() => resolve("fine"), 20));
    case "used body": {
      const response = new Response("abc");
      return response.text().then(() => response);
    }
    case "not a chunk":
      return new Response(new ReadableStream({ start: (controller) => controller.enqueue("text" as never) }));
    case "mid stream":
      return new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(new TextEncoder().encode("some of it"));
            await new Promise((resolve) => setTimeout(resolve, 20));
            controller.error(new Error("half way"));
          },
        }),
      );
  }
  throw new TypeError("thrown as usual");
}
