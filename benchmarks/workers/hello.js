// The same file on all three servers.
export default {
  fetch() {
    return Response.json({ success: true, message: "Hello" });
  },
};
