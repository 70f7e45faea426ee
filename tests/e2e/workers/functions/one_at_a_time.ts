let running = 0;
export default async function ({ env }: { env: Record<string, string> }) {
  running++;
  await new Promise((resolve) => setTimeout(resolve, 10));
  const seen = running--;
  return { seen, who: env.WHO, same: Deno.env.get("WHO") === process.env.WHO, keys: Object.keys(Deno.env.toObject()).sort() };
}
