import { statementAt, statements } from "../src/features/database/lib/sql.ts";

function equal(found: unknown, wanted: unknown): void {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`found ${one}, not ${other}`);
}

const texts = (sql: string) => statements(sql).map((each) => each.text);

Deno.test("statements end at semicolons that are none of a text", () => {
  equal(texts("select 1; select ';'; -- ;\n/* ; */ select \"a;b\";\n"), [
    "select 1",
    "select ';'",
    '-- ;\n/* ; */ select "a;b"',
  ]);
  equal(texts("  ; -- nothing\n"), []);
  equal(texts("select 'open"), ["select 'open"]);
});

Deno.test("a trigger is one statement, whatever its body holds", () => {
  const trigger =
    "create trigger \"end\" after insert on t begin select case when 1 then 'end' end; delete from u; end";
  equal(texts(`${trigger}; select 1`), [trigger, "select 1"]);
  equal(texts("create temp trigger t after insert on t begin select 1; end;select 2"), [
    "create temp trigger t after insert on t begin select 1; end",
    "select 2",
  ]);
});

Deno.test("the statement under the cursor is the one that is run", () => {
  const sql = "select 1;\nselect 2;\n";
  equal([statementAt(sql, 3), statementAt(sql, 12), statementAt(sql, sql.length)], [
    "select 1",
    "select 2",
    "select 2",
  ]);
});
