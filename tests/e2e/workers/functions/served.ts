Deno.serve((request) => new Response(`served ${new URL(request.url).pathname}`));
