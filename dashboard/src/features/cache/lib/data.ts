// Keys, fields and values: a text, or bytes that are none, which the API has in base64.
import type { Base64 } from "@/api/generated/api";

export type Data = string | Base64;

export function bytesOf(data: Data): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  return Uint8Array.from(atob(data.base64), (character) => character.charCodeAt(0));
}

/** For people: what is no text shows its bytes as `\xff`. */
export function words(data: Data): string {
  if (typeof data === "string") return data;
  return Array.from(
    bytesOf(data),
    (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

/** For `key=` of a React list, and to compare. */
export function idOf(data: Data): string {
  return typeof data === "string" ? `t:${data}` : `b:${data.base64}`;
}

/** The parameters of an address that name it: `key`, or `key_base64` in the URL's alphabet. */
export function named<Name extends string>(name: Name, data: Data): { [Key in Name | `${Name}_base64`]?: string } {
  const query = typeof data === "string"
    ? { [name]: data }
    : { [`${name}_base64`]: data.base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "") };
  return query as { [Key in Name | `${Name}_base64`]?: string };
}

/** What the page's address has, as data: the opposite of `idOf`. */
export function fromId(id: string | undefined): Data | null {
  if (id?.startsWith("t:")) return id.slice(2);
  if (id?.startsWith("b:")) return { base64: id.slice(2) };
  return null;
}

/** Lines of sixteen bytes, as `hexdump -C` prints them. */
export function hexDump(data: Data): string {
  const bytes = bytesOf(data);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = bytes.subarray(at, at + 16);
    const hex = Array.from(line, (byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(47);
    const text = Array.from(line, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".").join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex}  ${text}`);
  }
  return lines.join("\n");
}

/** The value as a field can hold it: browsers make `\n` of every end of a line, so where ends are not all the same, or
 * not known to a field, it is edited as bytes. */
export function editable(data: Data): Data {
  if (typeof data !== "string" || !/[\r\0]/.test(data)) return data;
  if (isCrlf(data) && !data.includes("\0")) return data;
  const bytes = bytesOf(data);
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return { base64: btoa(binary) };
}

/** What was typed, with the ends of lines of what it was. */
export function withEndsOf(before: Data, typed: string): string {
  return typeof before === "string" && isCrlf(before) ? typed.replaceAll(/\r?\n/g, "\r\n") : typed;
}

/** Whether all lines end in `\r\n`. */
function isCrlf(text: string): boolean {
  return text.includes("\r\n") && !/[^\r]\n|^\n|\r(?!\n)/.test(text);
}
