/** Opens and closes more subscriptions in one run than it may have calls open. */
export default async ({ cache }: V8Box.Context) => {
  for (let number = 0; number < 1100; number++) await (await cache.subscribe("often")).close();
  return "ok";
};
