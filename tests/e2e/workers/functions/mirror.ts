export default {
  fetch: (request: Request) =>
    Response.json({ url: request.url, method: request.method, headers: [...request.headers] }, {
      headers: { "x-v8box-termination": "forged", "connection": "close", "x-mine": "1", "set-cookie": "a=1" },
    }),
};
