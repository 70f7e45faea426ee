// Ends by itself when it is told to.
export default ({ request }: { request: Request }) =>
  new Promise((_, reject) => request.signal.addEventListener("abort", () => reject(new Error("told to stop"))));
