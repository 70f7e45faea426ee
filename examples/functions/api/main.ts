// A Hono app of several files. The worker's own prefix is stripped: /run/api/notes arrives as /notes.
//
//   curl http://localhost:8000/run/api
//   curl -X POST -H "Content-Type: application/json" -d '{"text": "buy milk"}' http://localhost:8000/run/api/notes
//   curl http://localhost:8000/run/api/notes

import { Hono } from "hono";
import { notes } from "./notes.ts";
import { timing } from "./timing.ts";

const app = new Hono();

app.use(timing);
app.get(
  "/",
  (c) => c.json({ name: "notes", endpoints: ["GET /notes", "POST /notes", "GET /notes/:id", "DELETE /notes/:id"] }),
);
app.route("/notes", notes);
app.notFound((c) => c.json({ error: `there is nothing at ${c.req.path}` }, 404));

export default app;
