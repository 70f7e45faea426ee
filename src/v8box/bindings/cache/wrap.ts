/** `cache.wrap()`: what is kept under a key, or else computed by one run at a time; `wraps.py` has the leases. */

import type { Caller } from "../../runtime/binding.ts";
import { bytesOf, refusal } from "./wire.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Every caller gets the value as JSON gives it back, the one that computed it too. */
export async function wrap(call: Caller, key: string, seconds: number, compute: () => unknown): Promise<unknown> {
  if (typeof compute !== "function") throw new TypeError("wrap takes a key, seconds and a function");
  if (!(seconds >= 0.001)) throw new RangeError("The time to live is a number of seconds above 0");
  const k = String(key).toWellFormed();
  try {
    const begun = await call("wrap.begin", { k });
    const { t } = begun.result as { t?: string };
    if (t === undefined) return parse(k, decoder.decode(await bytesOf(begun)));
    const value = await computed(compute, () => call("wrap.end", { k, t }));
    if (value === undefined) return undefined;
    await call("wrap.end", { k, t, s: seconds }, encoder.encode(value));
    return JSON.parse(value);
  } catch (error) {
    throw refusal(error, "wrap");
  }
}

/** The JSON of what `compute` gives. Where there is none, the lease is given up, so that another run can compute. */
async function computed(compute: () => unknown, giveUp: () => Promise<unknown>): Promise<string | undefined> {
  let value: string | undefined;
  try {
    value = JSON.stringify(await compute());
  } finally {
    // Refused, it ends by itself; what `compute` threw is what the caller must hear.
    if (value === undefined) await giveUp().catch(() => {});
  }
  return value;
}

function parse(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SyntaxError(`What is kept under ${key} is no JSON, so wrap did not put it there`, { cause: error });
  }
}
