// Changes to a v8box.toml that leave the rest of the file, its comments and its order, as they are.
// A form knows single values and flat lists; what it does not know stays untouched. The box checks the result.

export type Value = string | number | boolean | readonly string[] | null;

export function literal(value: Exclude<Value, null>): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object") return `[${value.map((each) => JSON.stringify(each)).join(", ")}]`;
  return String(value);
}

/** The text with `[table] key = value`; `null` takes the key out. `key` may be a whole top-level one (`table` ""). */
export function setKey(text: string, table: string, key: string, value: Value): string {
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const found = section(lines, table);
  if (found === null) {
    if (value === null) return text;
    const made = table === "" ? [`${key} = ${literal(value)}`] : [`[${table}]`, `${key} = ${literal(value)}`];
    if (table === "") return `${[...made, ...lines].join("\n")}\n`;
    const before = lines.length === 0 || lines.at(-1)?.trim() === "" ? lines : [...lines, ""];
    return `${[...before, ...made].join("\n")}\n`;
  }
  const [start, end] = found;
  for (let at = start; at < end; at++) {
    if (!isKey(lines[at] ?? "", key)) continue;
    const last = endOfValue(lines, at);
    const kept = last === at ? commentOf(lines[at] ?? "") : "";
    lines.splice(at, last - at + 1, ...(value === null ? [] : [`${key} = ${literal(value)}${kept}`]));
    return `${lines.join("\n")}\n`;
  }
  if (value === null) return text;
  let place = end;
  while (place > start && (lines[place - 1] ?? "").trim() === "") place--;
  lines.splice(place, 0, `${key} = ${literal(value)}`);
  return `${lines.join("\n")}\n`;
}

/** From where to where the lines of a table are, its header left out. */
function section(lines: readonly string[], table: string): [number, number] | null {
  const header = (line: string) => /^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$/.exec(line)?.[1];
  let start = table === "" ? 0 : -1;
  for (let at = 0; at < lines.length; at++) {
    const name = header(lines[at] ?? "");
    if (name === undefined) {
      at = Math.max(at, endOfValue(lines, at));
      continue;
    }
    if (start >= 0) return [start, at];
    if (name === table) start = at + 1;
  }
  return start < 0 ? null : [start, lines.length];
}

function isKey(line: string, key: string): boolean {
  return new RegExp(`^\\s*(${key}|"${key}")\\s*=`).test(line);
}

/** The comment at the end of a line, with the blanks before it. */
function commentOf(line: string): string {
  return /^(?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*')*?(\s*#.*)$/.exec(line)?.[1] ?? "";
}

/** The last line of a value that begins here: lists and texts may go over several. */
function endOfValue(lines: readonly string[], from: number): number {
  let depth = 0;
  let quote = "";
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] ?? "";
    for (let i = 0; i < line.length; i++) {
      const three = line.slice(i, i + 3);
      const char = line[i] ?? "";
      if (quote !== "") {
        if (char === "\\" && quote.startsWith('"')) i++;
        else if (line.startsWith(quote, i)) {
          i += quote.length - 1;
          quote = "";
        }
      } else if (three === '"""' || three === "'''") {
        quote = three;
        i += 2;
      } else if (char === '"' || char === "'") quote = char;
      else if (char === "#") break;
      else if (char === "[" || char === "{") depth++;
      else if (char === "]" || char === "}") depth--;
    }
    if (quote.length === 1) quote = "";
    if (depth <= 0 && quote === "") return at;
  }
  return lines.length - 1;
}

/** One value of a manifest as the box read it, e.g. `at(manifest, "limits", "wall_ms")`. */
export function at(manifest: Record<string, unknown>, table: string, key: string): unknown {
  const found = manifest[table];
  const first = Array.isArray(found) ? found[0] : found;
  return typeof first === "object" && first !== null ? (first as Record<string, unknown>)[key] : undefined;
}
