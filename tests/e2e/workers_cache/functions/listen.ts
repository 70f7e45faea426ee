/** Messages of a channel as lines, until the caller leaves. */
export default {
  async fetch(_request: Request, _env: unknown, { cache }: V8Box.Context): Promise<Response> {
    const messages = await cache.subscribe("news");
    async function* lines() {
      yield "ready\n";
      for await (const { channel, message } of messages) yield `${channel} ${message}\n`;
    }
    return new Response(ReadableStream.from(lines()).pipeThrough(new TextEncoderStream()));
  },
};
