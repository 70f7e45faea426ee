/// <reference path="../../../src/v8box/runtime/types/v8box.d.ts" />
/** A worker that uses what the declarations offer, and the proof that they say the same as the clients. Only checked. */

import type { Assets } from "../../../src/v8box/bindings/assets/client.ts";
import type { Cache, KVNamespace, Pipeline, Subscription } from "../../../src/v8box/bindings/cache/types.ts";
import type {
  Db,
  LibsqlBatchError,
  LibsqlError,
  ResultSet,
  Transaction,
} from "../../../src/v8box/bindings/db/client.ts";
import type {
  D1Database,
  D1DatabaseSession,
  D1PreparedStatement,
  D1Result,
} from "../../../src/v8box/bindings/db/d1.ts";
import type { S3 } from "../../../src/v8box/bindings/s3/client.ts";

type Same<One, Two> = (<T>() => T extends One ? 1 : 2) extends (<T>() => T extends Two ? 1 : 2) ? true : false;
type Members<One, Two> = { [Name in keyof One]: Name extends keyof Two ? Same<One[Name], Two[Name]> : false };
type AllTrue<Checked> = Checked[keyof Checked] extends true ? true : false;
type Mutual<One, Two> = One extends Two ? Two extends One ? Same<keyof One, keyof Two> : false : false;

const db: Mutual<Db, V8Box.Db> = true;
const transaction: Mutual<Transaction, V8Box.DbTransaction> = true;
const resultSet: Mutual<ResultSet, V8Box.ResultSet> = true;
const refused: Mutual<LibsqlError, V8Box.LibsqlError> = true;
const batchRefused: Mutual<LibsqlBatchError, V8Box.LibsqlBatchError> = true;
const d1: Mutual<D1Database, V8Box.D1Database> = true;
const d1Session: Mutual<D1DatabaseSession, V8Box.D1DatabaseSession> = true;
const d1Statement: Mutual<D1PreparedStatement, V8Box.D1PreparedStatement> = true;
const d1Result: Mutual<D1Result, V8Box.D1Result> = true;
const cache: Mutual<Cache, V8Box.Cache> = true;
const pipeline: Mutual<Pipeline, V8Box.CachePipeline> = true;
const subscription: Mutual<Subscription, V8Box.CacheSubscription> = true;
const kv: Mutual<KVNamespace, V8Box.KVNamespace> = true;
const s3: Mutual<S3, V8Box.S3> = true;
const assets: Mutual<Assets, V8Box.Assets> = true;
type Commands = Omit<Cache, "pipeline" | "multi" | `${"" | "p"}subscribe${"" | "Buffer"}`>;
// Members one by one would be too strict for what names an interface itself, like `use`.
const commands: AllTrue<Members<Commands, V8Box.Cache>> = true;
const kvMembers: AllTrue<Members<KVNamespace, V8Box.KVNamespace>> = true;
// The comparison can fail: these are not the same.
const lacking: Mutual<Omit<Db, "batch">, V8Box.Db> = false;
const other: Mutual<Cache, V8Box.S3> = false;
export const databases = [transaction, resultSet, refused, batchRefused, d1, d1Session, d1Statement, d1Result];
export const caches = [pipeline, subscription, kv, commands, kvMembers];
export const proofs = [db, cache, s3, assets, lacking, other];

const handler: V8Box.Handler = async ({ db, cache, s3, env, log, request, waitUntil, worker, version }, params) => {
  const { rows, lastInsertRowid } = await db.execute({
    sql: "SELECT :name AS name",
    args: { name: String(params.name) },
  });
  const first: V8Box.DbValue | undefined = rows[0]?.name;
  const id: bigint | undefined = lastInsertRowid;
  const visits: number = await cache.incr("visits");
  const all: Record<string, string> = await cache.hgetall("user");
  const replies = await cache.multi().set("a", 1).hset("h", { b: 2 }).incr("a").exec();
  for await (const { message } of await cache.subscribe("news")) log.info(message.length, { replies });
  const answer: number = await cache.wrap("answer", 60, async () => await cache.incr("computed"));
  const put: V8Box.S3Object = await s3.put("a.txt", "text", { httpMetadata: { contentType: "text/plain" } });
  const text: string | undefined = await (await s3.get("a.txt"))?.text();
  const page = await s3.list({ prefix: "a" });
  if (page.truncated) await s3.list({ cursor: page.cursor });
  waitUntil(cache.set("last", request.url, "EX", 60));
  log.info("done", { worker, version, greeting: env.GREETING });
  return { first, id, visits, answer, all, etag: put.etag, text };
};

export default handler;

export const module = {
  async fetch(request, _env, ctx) {
    const tx = await ctx.db.transaction("write");
    try {
      await tx.batch(["DELETE FROM t", ["INSERT INTO t VALUES (?)", [1]]]);
      await tx.commit();
    } finally {
      tx.close();
    }
    if (request.headers.get("upgrade") === "websocket") {
      const pair = new WebSocketPair();
      pair[1].accept();
      return new Response(null, { status: 101, webSocket: pair[0] });
    }
    return new Response("ok");
  },
} satisfies V8Box.Module;

interface Bound {
  DB: V8Box.D1Database;
  SESSIONS: V8Box.KVNamespace;
  FILES: V8Box.S3;
  ASSETS: V8Box.Assets;
  GREETING: string;
}

export const bound = {
  async fetch(_request, env) {
    const row = await env.DB.prepare("SELECT ?").bind(env.GREETING).first<{ greeting: string }>();
    const session = await env.SESSIONS.get<{ user: string }>("id", "json");
    const file = await env.FILES.get(session?.user ?? row?.greeting ?? "a");
    return file === null ? env.ASSETS.fetch(_request) : new Response(file.body);
  },
} satisfies V8Box.Module<Bound>;
