import { setKey } from "../src/features/workers/lib/manifest.ts";

function equal(found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`found ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
}

Deno.test("a value is changed in its place, and its comment stays", () => {
  const text = '# ours\n[limits]\nwall_ms = 5000 # quick\n\n[env]\nA = "# no comment"\n';
  equal(setKey(text, "limits", "wall_ms", 7), text.replace("5000", "7"));
  equal(setKey(text, "env", "A", "b"), text.replace('"# no comment"', '"b"'));
  equal(setKey(text, "limits", "wall_ms", null), text.replace("wall_ms = 5000 # quick\n", ""));
});

Deno.test("what is not there is added to its table, or with it", () => {
  equal(setKey("", "limits", "cpu_ms", 5), "[limits]\ncpu_ms = 5\n");
  equal(setKey("a = 1\n", "cors", "origins", ["x", "y"]), 'a = 1\n\n[cors]\norigins = ["x", "y"]\n');
  equal(setKey("[limits]\na = 1\n\n[env]\n", "limits", "b", true), "[limits]\na = 1\nb = true\n\n[env]\n");
  equal(setKey("[env]\n", "limits", "b", null), "[env]\n");
});

Deno.test("lists and texts of several lines are one value", () => {
  const text = '[cors]\norigins = [\n  "a", # [one\n  "]",\n]\nmethods = ["GET"]\n[env]\nT = """\n[cors]\n"""\n';
  equal(setKey(text, "cors", "origins", ["z"]), text.replace(/origins = \[\n[^]*?\n\]\n/, 'origins = ["z"]\n'));
  equal(setKey(text, "cors", "methods", null), text.replace('methods = ["GET"]\n', ""));
});
