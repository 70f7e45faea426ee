/** Waits for `ms` milliseconds, or for ever. */
export default function (_context: unknown, params: { ms?: string }) {
  return new Promise((resolve) => {
    if (params.ms) setTimeout(() => resolve("done"), Number(params.ms));
  });
}
