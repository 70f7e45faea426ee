// What the SQL editor offers: words of SQL, and the tables and columns of the database at hand.
import { monaco } from "@/components/monaco/setup";
import type { DatabaseSchema } from "@/features/database/lib/schema";

const WORDS =
  ("SELECT FROM WHERE AND OR NOT NULL IS IN LIKE BETWEEN EXISTS JOIN LEFT INNER CROSS ON USING AS DISTINCT " +
    "GROUP BY ORDER HAVING LIMIT OFFSET ASC DESC UNION ALL EXCEPT INTERSECT INSERT INTO VALUES UPDATE SET DELETE " +
    "RETURNING CREATE TABLE INDEX UNIQUE VIEW TRIGGER DROP ALTER ADD COLUMN RENAME TO PRIMARY KEY FOREIGN REFERENCES " +
    "DEFAULT CHECK CASE WHEN THEN ELSE END CAST WITH RECURSIVE EXPLAIN QUERY PLAN PRAGMA CONFLICT DO NOTHING").split(
      " ",
    );
const FUNCTIONS = ("count sum avg min max total group_concat length lower upper trim substr replace instr round abs " +
  "coalesce ifnull nullif iif date time datetime strftime unixepoch julianday json json_extract json_each " +
  "json_object json_array printf random hex typeof row_number rank lag lead").split(" ");

/** `model`: only there, as other editors may be open. */
export function offer(model: monaco.editor.ITextModel, schema: () => DatabaseSchema | undefined): monaco.IDisposable {
  const { CompletionItemKind: Kind } = monaco.languages;
  return monaco.languages.registerCompletionItemProvider("sql", {
    triggerCharacters: [".", " "],
    provideCompletionItems(asked, position) {
      if (asked !== model) return { suggestions: [] };
      const word = asked.getWordUntilPosition(position);
      const range = new monaco.Range(position.lineNumber, word.startColumn, position.lineNumber, word.endColumn);
      const line = asked.getLineContent(position.lineNumber).slice(0, word.startColumn - 1);
      const tables = [...(schema()?.tables ?? []), ...(schema()?.views ?? [])];
      const columnsOf = (table: (typeof tables)[number]) =>
        table.columns.map((column) => ({
          label: column.name,
          detail: `${table.name} · ${column.type}`,
          kind: Kind.Field,
          insertText: named(column.name),
          sortText: `1${column.name}`,
          range,
        }));
      const before = /(?:"((?:[^"]|"")+)"|(\w+))\.$/.exec(line);
      if (before !== null) {
        const asks = before[1]?.replaceAll('""', '"') ?? before[2] ?? "";
        const table = tables.find((each) => each.name.toLowerCase() === realName(asked.getValue(), asks).toLowerCase());
        return { suggestions: table ? columnsOf(table) : [] };
      }
      return {
        suggestions: [
          ...tables.map((table) => ({
            label: table.name,
            detail: table.type,
            kind: Kind.Struct,
            insertText: named(table.name),
            sortText: `2${table.name}`,
            range,
          })),
          ...tables.flatMap(columnsOf),
          ...FUNCTIONS.map((name) => ({
            label: name,
            kind: Kind.Function,
            insertText: name,
            sortText: `4${name}`,
            range,
          })),
          ...WORDS.map((name) => ({ label: name, kind: Kind.Keyword, insertText: name, sortText: `3${name}`, range })),
        ],
      };
    },
  });
}

/** The table that a short name stands for: `from users u`, `join users as u`. */
function realName(sql: string, short: string): string {
  const sought = short.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const found = new RegExp(`(?:from|join|,)\\s+(?:"([^"]+)"|(\\w+))\\s+(?:as\\s+)?${sought}\\b`, "i").exec(sql);
  return found?.[1] ?? found?.[2] ?? short;
}

function named(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
