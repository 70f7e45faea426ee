export default async ({ cache }: V8Box.Context) => {
  await cache.del("a", "list");
  const piped = await cache.pipeline().set("a", "text").incr("a").get("a").hset("h", { x: 1 }).hgetall("h").exec();
  const both = await cache.multi().rpush("list", "one", "two").lrange("list", 0, -1).exec();
  const aborted = await cache.multi().set("a", "changed").call("flushall").exec().catch((error) => error);
  return {
    piped: piped.map(([error, reply]) => (error as (Error & { code: string }) | null)?.code ?? reply),
    both,
    aborted: [aborted.code, aborted.previousErrors.map((error: Error & { code: string }) => error.code)],
    a: await cache.get("a"),
    script: await cache.eval("return redis.call('GET', KEYS[1]) .. ARGV[1]", 1, "a", "!"),
  };
};
