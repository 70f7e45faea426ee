// What the editor knows of a worker before the box is asked: its other files, the services, the rows of its tables.
import { monaco, typescript } from "@/components/monaco/setup";
import { type OpenFile, place } from "@/features/workers/lib/files";

const DENO = `
declare namespace Deno { const env: { get(name: string): string | undefined; toObject(): Record<string, string> }; }
declare module "npm:*"; declare module "jsr:*"; declare module "https:*";
`;

let prepared = false;

/** Once: the compiler's options are those of a deploy, as far as an editor can have them. */
function prepare(): void {
  if (prepared) return;
  prepared = true;
  for (const defaults of [typescript.typescriptDefaults, typescript.javascriptDefaults]) {
    defaults.setEagerModelSync(true);
    defaults.setCompilerOptions({
      target: typescript.ScriptTarget.ESNext,
      module: typescript.ModuleKind.ESNext,
      moduleResolution: typescript.ModuleResolutionKind.NodeJs,
      allowImportingTsExtensions: true,
      allowNonTsExtensions: true,
      noEmit: true,
      strict: true,
      allowJs: true,
      lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    });
    // What is not here but on the box: packages, and files with an import map. The box's own check knows.
    defaults.setDiagnosticsOptions({ diagnosticCodesToIgnore: [2307, 2792, 7016, 2691, 5097] });
  }
}

export function setTypes(text: string): monaco.IDisposable {
  prepare();
  const own = typescript.typescriptDefaults.addExtraLib(text, "file:///v8box.d.ts");
  const deno = typescript.typescriptDefaults.addExtraLib(DENO, "file:///deno.d.ts");
  return { dispose: () => (own.dispose(), deno.dispose()) };
}

/** One model per file, so that all are known though one is shown. The shown one is its editor's: that has what was typed
 * since `files`. */
export function openModels(project: string, worker: string, files: readonly OpenFile[]): void {
  prepare();
  const wanted = new Set<string>();
  for (const file of files) {
    const uri = monaco.Uri.file(place(project, worker, file.path));
    wanted.add(uri.toString());
    const model = monaco.editor.getModel(uri);
    if (model === null) monaco.editor.createModel(file.text, undefined, uri);
    else if (!model.isAttachedToEditor() && model.getValue() !== file.text) model.setValue(file.text);
  }
  closeModels(project, worker, wanted);
}

export function closeModels(project: string, worker: string, except: ReadonlySet<string> = new Set()): void {
  const folder = monaco.Uri.file(place(project, worker, "")).toString();
  for (const model of monaco.editor.getModels()) {
    const uri = model.uri.toString();
    if (uri.startsWith(folder) && !except.has(uri)) model.dispose();
  }
}
