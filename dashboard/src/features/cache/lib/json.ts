// A value that is JSON, laid out for people and put back as compact as it was. Only blanks between its parts change:
// numbers beyond 2^53, names that come twice and escapes stay as they are, which JSON.parse would not leave them.

const PARTS = /"(?:\\.|[^"\\])*"|[[\]{},:]|[^\s[\]{},:"]+/g;

export function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The JSON without blanks; null when it is none. */
export function compact(text: string): string | null {
  return isJson(text) ? (text.match(PARTS) ?? []).join("") : null;
}

/** Compact JSON with line breaks; null for what is none, or laid out by somebody already. */
export function laidOut(text: string): string | null {
  if (compact(text) !== text) return null;
  const parts = text.match(PARTS) ?? [];
  let depth = 0;
  let out = "";
  parts.forEach((part, index) => {
    const next = parts[index + 1] ?? "";
    const line = () => `\n${"  ".repeat(depth)}`;
    if (part === "{" || part === "[") {
      depth += 1;
      out += next === "}" || next === "]" ? part : part + line();
    } else if (part === "}" || part === "]") {
      depth -= 1;
      const before = parts[index - 1];
      out += before === "{" || before === "[" ? part : line() + part;
    } else if (part === ",") out += part + line();
    else out += part === ":" ? ": " : part;
  });
  return out;
}
