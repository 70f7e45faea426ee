// Slow on purpose; says when it has begun, and how many of its runs were told that their client left.
let aborted = 0;
export default async function ({ request }: { request: Request }, { ms, count }: { ms?: string; count?: string }) {
  if (count !== undefined) return aborted;
  request.signal.addEventListener("abort", () => aborted++);
  console.log("begun");
  await new Promise((resolve) => setTimeout(resolve, Number(ms ?? 1000)));
  return "done";
}
