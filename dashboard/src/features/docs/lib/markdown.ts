// The Markdown that the documentation is written in, as a tree: nothing of it is ever HTML.

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "emphasis"; children: Inline[] }
  | { kind: "link"; to: string; children: Inline[] };

export type Block =
  | { kind: "heading"; level: number; slug: string; children: Inline[] }
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "list"; ordered: boolean; items: Block[][] }
  | { kind: "quote"; children: Block[] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] };

const HEADING = /^(#{1,6}) +(.*?)#*$/;
const FENCE = /^(`{3,})/;
const ITEM = /^(?:([-*])|\d+\.) +/;
const RULE = /^\|[ :|-]+\|$/;

export function parse(text: string): Block[] {
  return blocksOf(text.replaceAll("\r\n", "\n").split("\n"));
}

/** As in the address of a heading on the usual forges. */
export function slugOf(heading: string): string {
  return heading.replaceAll("`", "").toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");
}

function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  /** The lines from here on for which this holds. */
  const take = (holds: (line: string) => boolean): string[] => {
    const taken: string[] = [];
    for (let line = lines[at]; line !== undefined && holds(line); line = lines[at]) {
      taken.push(line);
      at++;
    }
    return taken;
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const heading = HEADING.exec(line);
    const fence = FENCE.exec(line)?.[1];
    if (line.trim() === "") at++;
    else if (heading) {
      const text = heading[2] ?? "";
      blocks.push({ kind: "heading", level: heading[1]?.length ?? 1, slug: slugOf(text), children: inlineOf(text) });
      at++;
    } else if (fence !== undefined) {
      at++;
      blocks.push({ kind: "code", text: take((each) => !each.startsWith(fence)).join("\n") });
      at++;
    } else if (line.startsWith("|") && RULE.test(lines[at + 1] ?? "")) {
      const [head = [], , ...rows] = take((each) => each.startsWith("|")).map(cellsOf);
      blocks.push({ kind: "table", head, rows });
    } else if (line.startsWith(">")) {
      blocks.push({
        kind: "quote",
        children: blocksOf(take((each) => each.startsWith(">")).map((each) => each.slice(1).trimStart())),
      });
    } else if (ITEM.test(line)) blocks.push(listOf(take, line));
    else {
      const text = take((each) =>
        each.trim() !== "" && !HEADING.test(each) && !FENCE.test(each) && !each.startsWith("|")
      );
      if (text.length === 0) text.push(lines[at++] ?? ""); // a row of no table
      blocks.push({ kind: "paragraph", children: inlineOf(text.join(" ")) });
    }
  }
  return blocks;
}

function listOf(take: (holds: (line: string) => boolean) => string[], first: string): Block {
  const ordered = /^\d/.test(first);
  const items: string[][] = [];
  let blank = false;
  for (
    const line of take((each) => {
      const goes = ITEM.test(each) ? /^\d/.test(each) === ordered : each.trim() === "" || /^\s/.test(each) || !blank;
      blank = each.trim() === "";
      return goes;
    })
  ) {
    const mark = ITEM.exec(line)?.[0];
    if (mark !== undefined) items.push([line.slice(mark.length)]);
    else items.at(-1)?.push(line.replace(/^ {1,4}/, ""));
  }
  return { kind: "list", ordered, items: items.map(blocksOf) };
}

function cellsOf(row: string): Inline[][] {
  const cells = row.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/);
  return cells.map((cell) => inlineOf(cell.trim().replaceAll("\\|", "|")));
}

const INLINE = [
  { kind: "code", form: /^(`+)(.+?)\1(?!`)/ },
  { kind: "image", form: /^!\[[^\]]*\]\([^)]*\)/ },
  { kind: "link", form: /^\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]*)\)/ },
  { kind: "strong", form: /^\*\*(.+?)\*\*/ },
  { kind: "emphasis", form: /^\*(?!\s)([^*]+)\*/ },
] as const;

export function inlineOf(text: string): Inline[] {
  const found: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") found.push({ kind: "text", text: plain });
    plain = "";
  };
  for (let rest = text; rest !== "";) {
    const match = INLINE.map(({ kind, form }) => ({ kind, parts: form.exec(rest) })).find(({ parts }) => parts);
    if (!match?.parts) {
      const escaped = /^\\[\\`*_[\]|<>#-]/.test(rest);
      plain += escaped ? rest[1] ?? "" : rest[0] ?? "";
      rest = rest.slice(escaped ? 2 : 1);
      continue;
    }
    const { kind, parts } = match;
    flush();
    if (kind === "code") found.push({ kind, text: (parts[2] ?? "").trim() });
    else if (kind === "link") found.push({ kind, to: parts[2] ?? "", children: inlineOf(parts[1] ?? "") });
    else if (kind !== "image") found.push({ kind, children: inlineOf(parts[1] ?? "") }); // pictures are of this dashboard
    rest = rest.slice(parts[0].length);
  }
  flush();
  return found;
}
