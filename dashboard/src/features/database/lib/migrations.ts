// Files of migrations, as `v8box db migrate` reads them: 0001_what.sql, and 0001_what.down.sql that undoes it.
export interface MigrationFile {
  number: number;
  name: string;
  sql: string;
  down: string | null;
}

const NAME = /^(\d{4})_([a-z0-9_]{1,100})(\.down)?\.sql$/;

export interface Read {
  migrations: MigrationFile[];
  /** Files that are none, by name. */
  strange: string[];
}

export async function readMigrations(files: readonly File[]): Promise<Read> {
  const found = new Map<string, MigrationFile>();
  const downs = new Map<string, string>();
  const strange: string[] = [];
  for (const file of files) {
    const match = NAME.exec(file.name);
    if (match === null || Number(match[1]) === 0) {
      if (/\.sql$/i.test(file.name)) strange.push(file.name);
      continue;
    }
    const [, number = "", name = "", down] = match;
    const text = await file.text();
    if (down === undefined) found.set(`${number}_${name}`, { number: Number(number), name, sql: text, down: null });
    else downs.set(`${number}_${name}`, text);
  }
  for (const [key, text] of downs) {
    const migration = found.get(key);
    if (migration === undefined) strange.push(`${key}.down.sql`);
    else migration.down = text;
  }
  return { migrations: [...found.values()].sort((a, b) => a.number - b.number), strange };
}
