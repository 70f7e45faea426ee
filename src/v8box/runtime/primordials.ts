/**
 * The built-ins the channel depends on, taken before any user code runs, so that a worker that patches a prototype
 * changes its own world and not what the shim reads or writes.
 */

// deno-lint-ignore ban-types
function uncurry<F extends Function>(method: F): (self: ThisParameterType<F>, ...rest: unknown[]) => never {
  return Function.prototype.call.bind(method) as never;
}

const { parse, stringify } = JSON;
const includes = uncurry(String.prototype.includes) as unknown as (text: string, part: string) => boolean;
const replaceAll = uncurry(String.prototype.replaceAll) as unknown as (
  text: string,
  pattern: RegExp,
  by: string,
) => string;
/** Half of a surrogate pair, as JSON.stringify writes it: an escape that is not itself escaped. */
const LONE_SURROGATE = /(?<=(?:^|[^\\])(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

export const parseJson = parse;

/** JSON that every reader takes: half an emoji, which a cut may leave, becomes U+FFFD. */
export function toJson(value: unknown, replacer?: (key: string, value: unknown) => unknown): string {
  const text = stringify(value, replacer as never);
  return text !== undefined && includes(text, "\\ud") ? replaceAll(text, LONE_SURROGATE, "\\ufffd") : text;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
export const encode = encoder.encode.bind(encoder) as (text: string) => Uint8Array<ArrayBuffer>;
export const encodeInto = encoder.encodeInto.bind(encoder);
export const decode = decoder.decode.bind(decoder);

const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
type Bytes = Uint8Array<ArrayBuffer>;
export const subarray = uncurry(typedArray.subarray) as unknown as (a: Bytes, from: number, to?: number) => Bytes;
export const sliceBytes = uncurry(typedArray.slice) as unknown as (a: Bytes, from: number, to?: number) => Bytes;
export const setBytes = uncurry(typedArray.set) as unknown as (a: Bytes, from: Uint8Array, at: number) => void;
export const copyWithin = uncurry(typedArray.copyWithin) as unknown as (
  a: Bytes,
  to: number,
  from: number,
  end: number,
) => void;
export const getUint32 = uncurry(DataView.prototype.getUint32) as unknown as (
  view: DataView,
  at: number,
  little: true,
) => number;
export const setUint32 = uncurry(DataView.prototype.setUint32) as unknown as (
  view: DataView,
  at: number,
  value: number,
  little: true,
) => void;

export const queueTask = queueMicrotask.bind(globalThis);
export const now = Date.now.bind(Date);

/** A Map whose methods a patched `Map.prototype` does not reach. */
export class SafeMap<K, V> {
  declare get: (key: K) => V | undefined;
  declare set: (key: K, value: V) => unknown;
  declare delete: (key: K) => boolean;
  declare entries: () => [K, V][];
  declare size: () => number;
  constructor() {
    const map = new Map<K, V>();
    this.get = getMap.bind(map) as typeof this.get;
    this.set = setMap.bind(map) as typeof this.set;
    this.delete = deleteMap.bind(map) as typeof this.delete;
    this.size = sizeMap.bind(map) as typeof this.size;
    this.entries = () => {
      const all: [K, V][] = [];
      (forEachMap.bind(map) as typeof map.forEach)((value, key) => {
        all[all.length] = [key, value];
      });
      return all;
    };
  }
}
const { get: getMap, set: setMap, delete: deleteMap, forEach: forEachMap } = Map.prototype;
const sizeMap = Object.getOwnPropertyDescriptor(Map.prototype, "size")!.get!;
