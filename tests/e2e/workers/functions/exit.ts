export default function (_: unknown, { how }: { how?: string }) {
  console.log("before the end");
  if (how === "process") process.exit(7);
  if (how === "close") globalThis.close();
  Deno.exit(3);
}
