// Patches what the shim might use, then watches what passes.
const seen: string[] = [];
const note = (what: string) => seen.length < 100 && seen.push(what);
const { set, subarray } = Uint8Array.prototype;
Uint8Array.prototype.set = function (...args: Parameters<typeof set>) {
  note("Uint8Array.set");
  return set.apply(this, args);
};
Uint8Array.prototype.subarray = function (...args: Parameters<typeof subarray>) {
  note("Uint8Array.subarray");
  return subarray.apply(this, args);
};
const { get } = Map.prototype;
Map.prototype.get = function (key: unknown) {
  note("Map.get");
  return get.call(this, key);
};
const { parse, stringify } = JSON;
JSON.parse = (...args: Parameters<typeof parse>) => (note("JSON.parse"), parse(...args));
JSON.stringify = ((...args: Parameters<typeof stringify>) => (note("JSON.stringify"), stringify(...args))) as never;
globalThis.queueMicrotask = () => note("queueMicrotask");
TextEncoder.prototype.encodeInto = (() => note("encodeInto")) as never;
TextDecoder.prototype.decode = (() => note("decode")) as never;
export default () => new Response(seen.join(","));
