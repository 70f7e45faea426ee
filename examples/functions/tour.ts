// Calls two other workers, inside the box: each has a run of its own, and all of it is one trace.
//
//   curl "http://localhost:8000/run/tour?name=Ada"

interface Env {
  HELLO: V8Box.Service;
  QUERY: V8Box.Service;
}

export default {
  async fetch(request, env, ctx) {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    const greeted = await env.HELLO.fetch(`/?name=${encodeURIComponent(name)}`);
    const noted = await env.QUERY.fetch("/");
    return Response.json({ trace: ctx.traceId, greeted: await greeted.json(), noted: await noted.json() });
  },
} satisfies V8Box.Module<Env>;
