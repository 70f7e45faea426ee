/** What the examples of the documents are checked with: values alike, whatever class they are of. */

// deno-lint-ignore no-explicit-any -- values of every kind are compared
type Any = any;

const same = (got: Any, want: Any): boolean => {
  if (Object.is(got, want)) return true;
  if (typeof got !== "object" || typeof want !== "object" || got === null || want === null) return false;
  if (got instanceof Date || want instanceof Date) return want instanceof Date && Number(got) === Number(want);
  const bytes = (value: Any) =>
    value instanceof ArrayBuffer
      ? new Uint8Array(value)
      : ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : undefined;
  const [gotBytes, wantBytes] = [bytes(got), bytes(want)];
  if (gotBytes && wantBytes) return gotBytes.toHex() === wantBytes.toHex();
  if (gotBytes || wantBytes || Array.isArray(got) !== Array.isArray(want)) return false;
  if (got instanceof Map && want instanceof Map) return same([...got], [...want]);
  if (got instanceof Set && want instanceof Set) return same([...got], [...want]);
  const keys = Object.keys(got).filter((key) => got[key] !== undefined);
  const wanted = Object.keys(want).filter((key) => want[key] !== undefined);
  return keys.length === wanted.length && wanted.every((key) => keys.includes(key) && same(got[key], want[key]));
};

const show = (value: unknown): string => Deno.inspect(value, { depth: 6, compact: true, breakLength: Infinity });

/** Gives `got` back, or throws with the place in the page and both values. */
export function check<T>(got: T, where: string, want: () => unknown): T {
  const expected = want();
  if (!same(got, expected)) throw new Error(`${where}: expected ${show(expected)}, got ${show(got)}`);
  return got;
}
