/** Logs as fast as it can, giving way now and then, for `ms` milliseconds or until it is stopped. */
export default async function (_context: unknown, params: { ms?: string }) {
  const end = Date.now() + Number(params.ms ?? 60_000);
  const line = "flood ".repeat(170);
  let lines = 0;
  while (Date.now() < end) {
    for (let n = 0; n < 100; n++) console.log(lines++, line);
    await new Promise((resume) => setTimeout(resume, 0));
  }
  return lines;
}
