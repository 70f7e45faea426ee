// SQL that is made of what is chosen in forms, and texts of SQL taken apart into statements.

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A literal for a DEFAULT: numbers and moments as they are, all else a text. */
export function literal(text: string): string {
  const trimmed = text.trim();
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return trimmed;
  if (/^(current_(timestamp|date|time)|null|true|false)$/i.test(trimmed)) return trimmed;
  return `'${text.replaceAll("'", "''")}'`;
}

export interface ColumnDraft {
  name: string;
  type: string;
  primaryKey: boolean;
  autoIncrement: boolean;
  notNull: boolean;
  unique: boolean;
  defaultValue: string;
  /** `table` whose primary key it names. */
  references: string;
  referencesColumn: string;
}

export function columnDraft(change: Partial<ColumnDraft> = {}): ColumnDraft {
  return {
    name: "",
    type: "TEXT",
    primaryKey: false,
    autoIncrement: false,
    notNull: false,
    unique: false,
    defaultValue: "",
    references: "",
    referencesColumn: "",
    ...change,
  };
}

export const TYPES = ["INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB"] as const;

export function columnSql(column: ColumnDraft, onlyKey: boolean): string {
  const key = column.primaryKey && onlyKey;
  return [
    quoted(column.name),
    column.type,
    key && "PRIMARY KEY",
    key && column.autoIncrement && column.type === "INTEGER" && "AUTOINCREMENT",
    column.notNull && !key && "NOT NULL",
    column.unique && !key && "UNIQUE",
    column.defaultValue !== "" && `DEFAULT ${literal(column.defaultValue)}`,
    column.references !== "" && `REFERENCES ${quoted(column.references)}` +
      (column.referencesColumn === "" ? "" : ` (${quoted(column.referencesColumn)})`),
  ].filter(Boolean).join(" ");
}

export function createTableSql(table: string, columns: readonly ColumnDraft[]): string {
  const keys = columns.filter((column) => column.primaryKey);
  const lines = columns.map((column) => columnSql(column, keys.length === 1));
  if (keys.length > 1) lines.push(`PRIMARY KEY (${keys.map((key) => quoted(key.name)).join(", ")})`);
  return `CREATE TABLE ${quoted(table)} (\n  ${lines.join(",\n  ")}\n)`;
}

export const COMPARISONS = ["=", "<>", "<", "<=", ">", ">=", "contains", "begins", "null", "notnull"] as const;
export type Comparison = (typeof COMPARISONS)[number];

export interface Filter {
  column: string;
  how: Comparison;
  value: string;
}

/** The condition of a search, with its values apart. */
export function whereOf(
  filters: readonly Filter[],
  valueOf: (filter: Filter) => unknown,
): { where: string; whereArgs: unknown[] } | null {
  if (filters.length === 0) return null;
  const whereArgs: unknown[] = [];
  const parts = filters.map((filter) => {
    const name = quoted(filter.column);
    if (filter.how === "null") return `${name} IS NULL`;
    if (filter.how === "notnull") return `${name} IS NOT NULL`;
    if (filter.how === "contains" || filter.how === "begins") {
      const plain = filter.value.replace(/[\\%_]/g, (sign) => `\\${sign}`);
      whereArgs.push(filter.how === "begins" ? `${plain}%` : `%${plain}%`);
      return `${name} LIKE ? ESCAPE '\\'`;
    }
    whereArgs.push(valueOf(filter));
    return `${name} ${filter.how} ?`;
  });
  return { where: parts.join(" AND "), whereArgs };
}

/** Filters as they stand in an address: what is not like them is left out. */
export function filtersOf(text: string | undefined): Filter[] {
  if (text === undefined) return [];
  try {
    const told: unknown = JSON.parse(text);
    if (!Array.isArray(told)) return [];
    return told.filter((each): each is Filter =>
      typeof each?.column === "string" && typeof each.value === "string" && COMPARISONS.includes(each.how)
    );
  } catch {
    return [];
  }
}

export interface Statement {
  text: string;
  start: number;
  end: number;
}

const TRIGGER = /^\s*create\s+(temp\w*\s+)?trigger\b/i;

/** The statements of a text; semicolons in quotes, comments and triggers end none. */
export function statements(sql: string): Statement[] {
  const found: Statement[] = [];
  let start = 0;
  const end = (at: number) => {
    const text = sql.slice(start, at);
    if (bare(text).trim() !== "") found.push({ text: text.trim(), start, end: at });
    start = at + 1;
  };
  const token = /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`[^`]*`?|\[[^\]]*\]?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|;/g;
  for (const match of sql.matchAll(token)) {
    if (match[0] !== ";") continue;
    if (isOpen(bare(sql.slice(start, match.index)))) continue;
    end(match.index);
  }
  end(sql.length);
  return found;
}

/** The statement at a place of the text; the last one before it if there is none. */
export function statementAt(sql: string, offset: number): string | null {
  const all = statements(sql);
  return (all.find((each) => offset <= each.end) ?? all.at(-1))?.text ?? null;
}

/** Whether it is a trigger whose body goes on: each BEGIN and CASE has its END. */
function isOpen(before: string): boolean {
  if (!TRIGGER.test(before)) return false;
  const words = before.toLowerCase().match(/\b(begin|case|end)\b/g) ?? [];
  const ends = words.filter((word) => word === "end").length;
  return words.length === 0 || words.length - ends > ends;
}

/** Without comments, and without what is in quotes. */
function bare(sql: string): string {
  return sql.replace(
    /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`[^`]*`?|\[[^\]]*\]?|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g,
    (found) => /^[-/]/.test(found) ? " " : " x ",
  );
}
