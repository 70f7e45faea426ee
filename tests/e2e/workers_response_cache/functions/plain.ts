export default {
  fetch(): Response {
    return new Response(crypto.randomUUID(), { headers: { "cache-control": "max-age=600" } });
  },
};
