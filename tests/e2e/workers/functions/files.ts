import fs from "node:fs";
import os from "node:os";
export default async function () {
  const tried: Record<string, string> = {};
  const attempt = async (name: string, run: () => unknown) => {
    try {
      tried[name] = `worked: ${String(await run()).slice(0, 60)}`;
    } catch (error) {
      tried[name] = (error as Error).name;
    }
  };
  for (const path of ["/etc/passwd", "/proc/self/environ", "/proc/1/cmdline", "/proc/self/maps", "/tmp", "."]) {
    await attempt(`read ${path}`, () => Deno.readTextFile(path));
    await attempt(`list ${path}`, () => [...Deno.readDirSync(path)].length);
    await attempt(`node ${path}`, () => fs.readFileSync(path, "utf8"));
  }
  await attempt("write", () => Deno.writeTextFile("/tmp/v8box-was-here", "x"));
  await attempt("make temp", () => Deno.makeTempFile());
  await attempt("cwd", () => Deno.cwd());
  await attempt("exec path", () => Deno.execPath());
  await attempt("hostname", () => Deno.hostname());
  await attempt("node hostname", () => os.hostname());
  await attempt("env", () => Deno.env.get("PATH") ?? "nothing");
  await attempt("process env", () => process.env.PATH ?? process.env.HOME ?? "nothing");
  const local = "file:///etc/hostname", remote = "https://deno.land/std@0.224.0/version.ts";
  await attempt("import", () => import(local));
  await attempt("remote import", () => import(remote));
  await attempt("kill", () => Deno.kill(1, "SIGTERM"));
  return tried;
}
