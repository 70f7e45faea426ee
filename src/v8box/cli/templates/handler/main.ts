// What a handler returns goes out as {"success": true, "data": …, "timestamp": …}.
//
//   v8box dev                       serves it here, again after each save
//   v8box deploy                    puts it on the box you signed in to

export default async function ({ cache, log }: V8Box.Context, params: V8Box.Params) {
  const name = String(params.name ?? "world").slice(0, 80);
  const count = await cache.incr("greetings");
  log.info("greeted", { name, count });
  return { message: `Hello, ${name}!`, count };
}
