import { targetOf } from "../src/features/docs/lib/links.ts";
import { inlineOf, parse, slugOf } from "../src/features/docs/lib/markdown.ts";

function equal(found: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`found ${a}, not ${b}`);
}

const text = (words: string) => [{ kind: "text", text: words }];

Deno.test("blocks", () => {
  equal(parse("# A `b`!\n\none\ntwo\n```sh\n# no heading\n\n```\nthree"), [
    { kind: "heading", level: 1, slug: "a-b", children: [...text("A "), { kind: "code", text: "b" }, ...text("!")] },
    { kind: "paragraph", children: text("one two") },
    { kind: "code", text: "# no heading\n" },
    { kind: "paragraph", children: text("three") },
  ]);
  equal(parse("- a\n  more\n- b\n\n1. c\n"), [
    {
      kind: "list",
      ordered: false,
      items: [[{ kind: "paragraph", children: text("a more") }], [{ kind: "paragraph", children: text("b") }]],
    },
    { kind: "list", ordered: true, items: [[{ kind: "paragraph", children: text("c") }]] },
  ]);
  equal(parse("| a | b |\n|---|---|\n| `x\\|y` | 2 |\n"), [{
    kind: "table",
    head: [text("a"), text("b")],
    rows: [[[{ kind: "code", text: "x|y" }], text("2")]],
  }]);
});

Deno.test("what never ends, and what is no table, is text", () => {
  equal(parse("```\na"), [{ kind: "code", text: "a" }]);
  equal(parse("| a |\nb"), [{ kind: "paragraph", children: text("| a |") }, {
    kind: "paragraph",
    children: text("b"),
  }]);
  equal(inlineOf("a `b *c [d"), text("a `b *c [d"));
  equal(parse("<img src=x onerror=alert(1)>"), [{ kind: "paragraph", children: text("<img src=x onerror=alert(1)>") }]);
});

Deno.test("words", () => {
  equal(inlineOf("**a** *b* [`c`](d.md#e) ![f](g.png)\\*"), [
    { kind: "strong", children: text("a") },
    ...text(" "),
    { kind: "emphasis", children: text("b") },
    ...text(" "),
    { kind: "link", to: "d.md#e", children: [{ kind: "code", text: "c" }] },
    ...text(" "),
    ...text("*"),
  ]);
  equal(slugOf("What `db.use` is: a list, or more"), "what-dbuse-is-a-list-or-more");
});

Deno.test("links lead to pages that are here, or out to the web", () => {
  const pages = new Set(["workers", "bindings/db"]);
  equal(targetOf("workers", "bindings/db.md#rows", pages), "bindings/db#rows");
  equal(targetOf("bindings/db", "../workers.md", pages), "workers");
  equal(targetOf("bindings/db", "#rows", pages), "bindings/db#rows");
  equal(targetOf("workers", "https://deno.land/x", pages), { href: "https://deno.land/x" });
  equal(targetOf("workers", "javascript:alert(1)", pages), null);
  equal(targetOf("workers", "../LICENSE", pages), null);
  equal(targetOf("workers", "decisions/0001.md", pages), null);
});
