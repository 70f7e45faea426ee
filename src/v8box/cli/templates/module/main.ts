// The web's own shape: a Request in, a Response out.
//
//   v8box dev                       serves it here, again after each save
//   v8box deploy                    puts it on the box you signed in to

export default {
  fetch(request: Request): Response {
    const url = new URL(request.url);
    return Response.json({ method: request.method, path: url.pathname, query: Object.fromEntries(url.searchParams) });
  },
};
