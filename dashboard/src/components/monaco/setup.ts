// Monaco with what the dashboard edits, and no more: TypeScript and JSON with their language services, the rest coloured.
import * as monaco from "monaco-editor/editor";
import "monaco-editor/features/register.all";
import "monaco-editor/languages/definitions/css/register";
import "monaco-editor/languages/definitions/html/register";
import "monaco-editor/languages/definitions/ini/register";
import "monaco-editor/languages/definitions/javascript/register";
import "monaco-editor/languages/definitions/markdown/register";
import "monaco-editor/languages/definitions/sql/register";
import "monaco-editor/languages/definitions/typescript/register";
import "monaco-editor/languages/definitions/xml/register";
import "monaco-editor/languages/definitions/yaml/register";
import * as json from "monaco-editor/languages/features/json/register";
import * as typescript from "monaco-editor/languages/features/typescript/register";
import EditorWorker from "monaco-editor/editor/editor.worker?worker";
import JsonWorker from "monaco-editor/language/json/json.worker?worker";
import TypeScriptWorker from "monaco-editor/language/typescript/ts.worker?worker";

self.MonacoEnvironment = {
  getWorker(_: string, label: string): Worker {
    if (label === "typescript" || label === "javascript") return new TypeScriptWorker();
    return label === "json" ? new JsonWorker() : new EditorWorker();
  },
};

/** Colours of the page, so that an editor is a part of it. */
export function defineThemes(): void {
  for (const [name, base] of [["v8box-light", "vs"], ["v8box-dark", "vs-dark"]] as const) {
    const dark = base === "vs-dark";
    monaco.editor.defineTheme(name, {
      base,
      inherit: true,
      rules: [],
      colors: {
        "editor.background": dark ? "#121317" : "#ffffff",
        "editorGutter.background": dark ? "#121317" : "#ffffff",
        "editor.lineHighlightBackground": dark ? "#191b20" : "#f7f7f9",
        "editor.lineHighlightBorder": "#00000000",
        "editorWidget.background": dark ? "#191b20" : "#ffffff",
        "focusBorder": dark ? "#a5acff" : "#4f46e5",
      },
    });
  }
}

defineThemes();

/** Monaco's name for the language of a file. */
export function languageOf(path: string): string {
  const ending = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  return LANGUAGES[ending] ?? "plaintext";
}

const LANGUAGES: Record<string, string> = {
  ts: "typescript",
  tsx: "typescript",
  mts: "typescript",
  js: "javascript",
  jsx: "javascript",
  mjs: "javascript",
  json: "json",
  jsonc: "json",
  css: "css",
  html: "html",
  svg: "xml",
  xml: "xml",
  md: "markdown",
  sql: "sql",
  toml: "ini",
  yaml: "yaml",
  yml: "yaml",
};

export { json, monaco, typescript };
