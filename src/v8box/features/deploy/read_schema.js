// Prints the JSON Schema of the export of `worker` that the first argument names, as the last line of the output. Runs in
// a process of its own without files, network or variables. `schema_export.py` puts the import of `worker` before it.

/* global worker */

const MARK = "v8box-schema ";
const DRAFT = "draft-2020-12";

/** Zod 4 has it on the schema; Standard JSON Schema is what other libraries agreed on; else it is a schema itself. */
function toJsonSchema(value) {
  if (value === undefined) return { fault: "has no export of this name" };
  if (value === null || (typeof value !== "object" && typeof value !== "function")) {
    return typeof value === "boolean" ? { schema: value } : { fault: "is a value that says nothing of params" };
  }
  if (typeof value.toJSONSchema === "function") {
    return { schema: value.toJSONSchema({ io: "input", unrepresentable: "any", target: DRAFT }) };
  }
  const standard = value["~standard"];
  if (typeof standard?.jsonSchema?.input === "function") {
    return { schema: standard.jsonSchema.input({ target: DRAFT }) };
  }
  if (typeof value.toJsonSchema === "function") return { schema: value.toJsonSchema() };
  if (standard !== undefined || "_def" in value || typeof value === "function") {
    const named = standard?.vendor ? ` (${standard.vendor})` : "";
    return { fault: `is a schema of a library${named} that gives no JSON Schema: update it, or export one` };
  }
  return { schema: value };
}

function describe() {
  try {
    return toJsonSchema(worker[Deno.args[0]]);
  } catch (error) {
    return { fault: `cannot be made a JSON Schema: ${error?.message ?? error}` };
  }
}

const text = `\n${MARK}${JSON.stringify(describe())}\n`;
await Deno.stdout.write(new TextEncoder().encode(text));
Deno.exit(0);
