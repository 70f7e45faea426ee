export default async ({ cache }: V8Box.Context) =>
  await cache.wrap("report", 60, async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return { computed: await cache.incr("computations") };
  });
