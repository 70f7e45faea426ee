// Reads a JSON body and answers with one; a GET says that the worker is there. The same file on all three servers.
export default {
  async fetch(request) {
    if (request.method === "GET") return new Response("ready");
    const order = await request.json();
    return Response.json({
      success: true,
      items: order.items.length,
      total: order.items.reduce((n, i) => n + i.price, 0),
    });
  },
};
