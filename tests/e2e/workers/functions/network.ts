import net from "node:net";
import http from "node:http";
export default async function (_: unknown, { port }: { port: string }) {
  const tried: Record<string, string> = {};
  const attempt = async (name: string, run: () => unknown) => {
    try {
      tried[name] = `worked: ${String(await run()).slice(0, 60)}`;
    } catch (error) {
      tried[name] = `${(error as Error).name}: ${(error as Error).message.slice(0, 80)}`;
    }
  };
  const hosts = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "127.1",
    "169.254.169.254", "10.0.0.1", "192.168.0.1", "[fe80::1]", "[fc00::1]", "api.localhost"];
  for (const host of hosts) {
    await attempt(`fetch ${host}`, () => fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(500) }));
  }
  await attempt("connect", () => Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  await attempt("websocket", () =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
      socket.onopen = () => resolve("open");
      socket.onerror = () => reject(new Error("refused"));
    }));
  const node = (options: net.NetConnectOpts) =>
    new Promise((resolve, reject) => net.connect(options).on("connect", () => resolve("open")).on("error", reject));
  await attempt("node net", () => node({ host: "127.0.0.1", port: Number(port) }));
  await attempt("node http", () =>
    new Promise((resolve, reject) => http.get(`http://127.0.0.1:${port}/`, resolve).on("error", reject)));
  await attempt("unix", () => node({ path: "/tmp" }));
  await attempt("abstract", () => node({ path: "\0v8box" }));
  await attempt("listen", () => Deno.listen({ port: 0 }));
  await attempt("listen v6", () => Deno.listen({ hostname: "::", port: 0 }));
  return tried;
}
