// deno-lint-ignore no-explicit-any
declare const WebSocketPair: any;
export default {
  fetch(request: Request) {
    if (request.headers.get("upgrade") !== "websocket") return new Response("upgrade, please", { status: 426 });
    if (new URL(request.url).pathname === "/pair") {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      server.addEventListener("message", (event: MessageEvent) => server.send(event.data));
      return new Response(null, { status: 101, webSocket: client } as ResponseInit);
    }
    const { socket, response } = Deno.upgradeWebSocket(request, { protocol: "echo" });
    socket.onmessage = ({ data }) => data === "close" ? socket.close(4001, "as you wish") : socket.send(data);
    return response;
  },
};
