"""The JSON Schema of a worker's export, made at deploy by the worker's own code in a process that may do nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import Box

from v8box.catalog import Manifest, own_table
from v8box.catalog.policies import ParamsSchema
from v8box.features.deploy import BundleError, Bundler, Deployed, DeployFailed

EXPORT = own_table('schema.export = "schema"', "v8box.toml").manifest("functions/a.ts")


async def schema_of(folder: Path, bundler: Bundler, source: str) -> Any:
    (folder / "functions/a.ts").write_text(source + "\nexport default () => 1;\n")
    settled = await bundler.settle(EXPORT, await bundler.bundle("functions/a.ts"))
    assert settled.rules.schema is not None
    assert settled.rules.schema.export == "schema"
    return json.loads(settled.rules.schema.params)


async def test_zod(folder: Path, bundler: Bundler) -> None:
    made = await schema_of(
        folder,
        bundler,
        """import { z } from "npm:zod@4";
        export const schema = z.object({
          age: z.int().min(18),
          name: z.string().default("nobody"),
          at: z.date().optional(),
          tags: z.array(z.string()).optional(),
        });""",
    )
    assert made["type"] == "object"
    assert made["required"] == ["age"]  # what has a default may be left out
    assert made["properties"]["age"]["minimum"] == 18
    assert made["properties"]["at"] == {}
    assert made["properties"]["tags"] == {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ('export const schema = { type: "object" };', {"type": "object"}),
        ("export const schema = true;", True),
        (
            "const jsonSchema = { input: (o) => ({ title: o.target }) };\n"
            'export const schema = { "~standard": { vendor: "x", jsonSchema } };',
            {"title": "draft-2020-12"},
        ),
        ("export const schema = { toJsonSchema: () => ({ minProperties: 1 }) };", {"minProperties": 1}),
        (
            'console.log("v8box-schema {}"); setInterval(() => {}, 1);\n'
            'const x = Deno.env.get("HOME") ?? process.env.HOME;\n'
            "export const schema = { const: x ?? null };",
            {"const": None},
        ),
    ],
)
async def test_other_schemas(folder: Path, bundler: Bundler, source: str, made: Any) -> None:
    assert await schema_of(folder, bundler, source) == made


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "has no export of this name"),
        ("export const schema = 5;", "is a value that says nothing of params"),
        ("export const schema = () => 1;", "is a schema of a library that gives no JSON Schema"),
        (
            'export const schema = { "~standard": { vendor: "old" } };',
            r"of a library \(old\) that gives no JSON Schema",
        ),
        ('export const schema = { toJSONSchema() { throw new Error("no Date") } };', "a JSON Schema: no Date"),
        ('export const schema = { type: "text" };', "is no JSON Schema"),
        ('export const schema = { $ref: "file:///etc/passwd" };', "only references within it are followed|refers to"),
        ('throw new Error("at import"); export const schema = {};', "the module failed as it was imported.*at import"),
        ('Deno.readTextFileSync("/etc/passwd"); export const schema = {};', "failed as it was imported.*read access"),
        ('await fetch("http://127.0.0.1"); export const schema = {};', "failed as it was imported.*net access"),
        ('new Deno.Command("ls").outputSync(); export const schema = {};', "failed as it was imported.*run access"),
        ("Deno.exit(0); export const schema = {};", "failed as it was imported"),
    ],
)
async def test_what_gives_no_schema(folder: Path, bundler: Bundler, source: str, told: str) -> None:
    with pytest.raises(BundleError, match=told) as caught:
        await schema_of(folder, bundler, source)
    assert caught.value.file == "functions/a.ts"
    assert "schema.export" in caught.value.message


async def test_a_module_that_never_ends_its_import(
    folder: Path, bundler: Bundler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v8box.features.deploy.schema_export._SECONDS", 0.3)
    with pytest.raises(BundleError, match="was not there within"):
        await schema_of(
            folder, bundler, "await new Promise((done) => setTimeout(done, 1e6)); export const schema = {};"
        )
    assert not list((bundler._work).iterdir())


async def test_without_an_export_nothing_is_run(folder: Path, bundler: Bundler) -> None:
    (folder / "functions/a.ts").write_text("export default () => 1;")
    build = await bundler.bundle("functions/a.ts")
    plain = Manifest(entry="functions/a.ts")
    assert await bundler.settle(plain, build) is plain


async def test_a_folder_deploys_the_schema_and_says_why_not(box: Box) -> None:
    box.write("functions/a.ts", "export const schema = { type: 'object' }; export default () => 1;")
    box.write("v8box.toml", '[workers.a.schema]\nexport = "schema"\n')
    await box.start()
    version = (await box.next(Deployed, "a")).version
    assert version.manifest.rules.schema == ParamsSchema(params='{"type":"object"}', export="schema")
    box.write("functions/a.ts", "export default () => 1;")
    assert "has no export of this name" in (await box.next(DeployFailed, "a")).message
    box.write("functions/a.ts", "export const schema = { minProperties: 1 }; export default () => 1;")
    schema = (await box.next(Deployed, "a")).version.manifest.rules.schema
    assert schema is not None
    assert schema.params == '{"minProperties":1}'
