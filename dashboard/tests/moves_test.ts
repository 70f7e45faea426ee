import { relinked } from "../src/features/workers/lib/moves.ts";

function equal(found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`found ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

Deno.test("whoever imports a file that moves imports it from there", () => {
  const move = (path: string, text: string) => relinked(path, text, "lib/a.ts", "shared/b.ts");
  equal(move("main.ts", 'import { a } from "./lib/a.ts";'), 'import { a } from "./shared/b.ts";');
  equal(move("deep/er/x.ts", "export * from '../../lib/a.ts'"), "export * from '../../shared/b.ts'");
  equal(move("lib/x.ts", 'const a = await import( "./a.ts");'), 'const a = await import( "../shared/b.ts");');
  equal(move("main.ts", 'import "./lib/a.ts"'), 'import "./shared/b.ts"');
});

Deno.test("what a file imports that moves is found from its new place", () => {
  const move = (text: string) => relinked("lib/a.ts", text, "lib/a.ts", "a.ts");
  equal(
    move('import x from "./x.ts";\nimport y from "../y.ts";'),
    'import x from "./lib/x.ts";\nimport y from "./y.ts";',
  );
  equal(move('import { self } from "./a.ts";'), 'import { self } from "./a.ts";');
});

Deno.test("all else stays as it is", () => {
  const move = (text: string) => relinked("main.ts", text, "lib/a.ts", "b.ts");
  for (
    const text of [
      'import x from "./lib/a.tsx";',
      'import x from "npm:lib/a.ts";',
      'import x from "../../lib/a.ts";',
      'const text = "./lib/a.ts";',
    ]
  ) equal(move(text), text);
});
