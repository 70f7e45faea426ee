/** Never gives the processor back, for `ms` milliseconds or until it is stopped. */
export default function (_context: unknown, params: { ms?: string }) {
  const end = Date.now() + Number(params.ms ?? 60_000);
  let rounds = 0;
  while (Date.now() < end) rounds++;
  return rounds;
}
