interface Cache {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
}

export default async function ({ cache }: { cache: Cache }, params: { setup?: string }) {
  if (params.setup) await cache.set("bench", "one");
  return await cache.get("bench");
}
