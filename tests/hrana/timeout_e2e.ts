// A transaction that its client forgets. Run by test_client.py: deno run -A timeout_e2e.ts <url> <token>
import { strict as assert } from "node:assert";
import { createClient } from "npm:@libsql/client@0.18.0/web";

const [url, authToken] = Deno.args;
const db = createClient({ url, authToken });
await db.execute("create table t (v integer)");
const begun = async () => {
  const transaction = await db.transaction("write");
  try {
    await transaction.execute("insert into t values (1)");
    return transaction;
  } catch (error) {
    if (error.code !== "TRANSACTION_TIMEOUT") throw error;
    return begun(); // the machine was too busy for the lease
  }
};
const forgotten = await begun();
await db.execute("insert into t values (2)"); // waits for the lock, and gets it when the lease has run out
const codes = [];
for (const work of [() => forgotten.execute("insert into t values (3)"), () => forgotten.commit()]) {
  codes.push(await work().then(() => "none", (error) => error.code));
}
assert.deepEqual(codes, ["TRANSACTION_TIMEOUT", "TRANSACTION_TIMEOUT"]);
assert.deepEqual((await db.execute("select v from t")).rows.map((row) => row.v), [2]);
db.close();
console.log("timeout passed");
