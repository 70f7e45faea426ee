export default async function () {
  const tried: Record<string, string> = {};
  const attempt = async (name: string, run: () => unknown) => {
    try {
      await run();
      tried[name] = "worked";
    } catch (error) {
      tried[name] = (error as Error).name;
    }
  };
  await attempt("command", () => new Deno.Command("/bin/sh", { args: ["-c", "true"] }).outputSync());
  const { spawnSync } = await import("node:child_process");
  await attempt("child_process", () => {
    const { error, stdout } = spawnSync("/bin/sh", ["-c", "echo it ran"]);
    if (error) throw error;
    if (!String(stdout).includes("it ran")) throw Object.assign(new Error("no output"), { name: "nothing" });
  });
  await attempt("worker", () => new Worker("data:text/javascript,1", { type: "module" }));
  await attempt("ffi", () => Deno.dlopen("/lib/x86_64-linux-gnu/libc.so.6", {}));
  return tried;
}
