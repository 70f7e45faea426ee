// A Hono app. The worker's own prefix is stripped: /run/<worker>/notes arrives as /notes.
//
//   v8box dev                       serves it here, again after each save
//   v8box deploy                    puts it on the box you signed in to

import { Hono } from "npm:hono@^4.7.0";

const app = new Hono();

app.get("/", (c) => c.json({ endpoints: ["GET /hello/:name"] }));
app.get("/hello/:name", (c) => c.json({ message: `Hello, ${c.req.param("name")}!` }));

export default app;
