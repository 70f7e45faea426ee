export default async ({ cache }: V8Box.Context, { push }: V8Box.Params) => {
  if (push === "wait") return await cache.blpop("jobs", 20);
  if (push) return await cache.rpush("jobs", push);
  return await cache.llen("jobs");
};
