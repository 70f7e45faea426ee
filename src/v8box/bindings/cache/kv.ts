import type { Caller } from "../../runtime/binding.ts";

/** Written by the owner of the cache binding; here so that the shim can be bundled meanwhile. */
export function createKv(_call: Caller, namespace: string): unknown {
  throw new Error(`the KV namespace ${namespace} is not available`);
}
