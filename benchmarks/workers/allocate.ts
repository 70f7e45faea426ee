/** Takes memory as fast as it can, for `ms` milliseconds or until it is stopped. */
export default async function (_context: unknown, params: { ms?: string }) {
  const end = Date.now() + Number(params.ms ?? 60_000);
  const held: Uint8Array[] = [];
  while (Date.now() < end) {
    held.push(new Uint8Array(1 << 20).fill(held.length));
    await Promise.resolve();
  }
  return held.length;
}
