// One editor on one text, or (`original`) two texts side by side. Models belong to whoever uses `monaco` directly.
import { useEffect, useRef } from "react";
import { classes } from "@/lib/classes";
import { useTheme } from "@/lib/theme";
import { languageOf, monaco } from "@/components/monaco/setup";

export interface CodeEditorProps {
  value: string;
  /** What it is, for those who listen. */
  label: string;
  /** Names the file: its ending is the language, unless `language` says it. */
  path?: string;
  language?: string;
  readOnly?: boolean;
  onChange?: (value: string) => void;
  /** Cmd/Ctrl+S. */
  onSave?: () => void;
  /** Cmd/Ctrl+E, and Cmd/Ctrl+Enter. */
  onRun?: () => void;
  markers?: readonly monaco.editor.IMarkerData[];
  /** The older text, for a comparison. */
  original?: string;
  onMount?: (editor: monaco.editor.IStandaloneCodeEditor) => void;
  options?: monaco.editor.IStandaloneEditorConstructionOptions;
  className?: string;
}

const OPTIONS: monaco.editor.IStandaloneEditorConstructionOptions = {
  automaticLayout: true,
  fontSize: 13,
  lineHeight: 20,
  minimap: { enabled: false },
  scrollBeyondLastLine: false,
  padding: { top: 8, bottom: 8 },
  renderLineHighlight: "line",
  smoothScrolling: true,
  fixedOverflowWidgets: true,
  tabSize: 2,
  stickyScroll: { enabled: false },
};

// Below this many pixels one text is under the other. The menus in the gutter would be looked through once more after the
// editor is gone (microsoft/monaco-editor#4581), and there is nothing in them that is needed here.
const COMPARISON = { renderSideBySide: true, renderSideBySideInlineBreakpoint: 600, renderGutterMenu: false };

export default function MonacoEditor(props: CodeEditorProps) {
  const { value, label, path, readOnly = false, markers, original, options, className } = props;
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor>(null);
  const latest = useRef(props);
  latest.current = props;
  // How often what was typed has been told, now and when `value` was what it is.
  const told = useRef(0);
  const known = told.current;
  const setting = useRef(false);
  const { shown } = useTheme();
  const language = props.language ?? languageOf(path ?? "");

  useEffect(() => monaco.editor.setTheme(`v8box-${shown}`), [shown]);

  useEffect(() => {
    const target = place.current;
    if (target === null) return;
    const uri = path === undefined || original !== undefined ? undefined : monaco.Uri.file(path);
    const kept = uri && monaco.editor.getModel(uri);
    const model = kept ?? monaco.editor.createModel(latest.current.value, language, uri);
    const disposables: monaco.IDisposable[] = [];
    const all = { ...OPTIONS, ...options, readOnly, ariaLabel: label };
    let code: monaco.editor.IStandaloneCodeEditor;
    if (original === undefined) {
      code = monaco.editor.create(target, { ...all, model });
      disposables.push(code);
    } else {
      const before = monaco.editor.createModel(original, language);
      const both = monaco.editor.createDiffEditor(target, { ...all, originalEditable: false, ...COMPARISON });
      both.setModel({ original: before, modified: model });
      code = both.getModifiedEditor() as monaco.editor.IStandaloneCodeEditor;
      disposables.push(before, both); // the last go first, the editor before its texts
    }
    disposables.push(
      model.onDidChangeContent(() => {
        if (setting.current) return;
        told.current++;
        latest.current.onChange?.(model.getValue());
      }),
    );
    const { CtrlCmd } = monaco.KeyMod;
    const { KeyS, KeyE, Enter } = monaco.KeyCode;
    const key = (id: string, keys: number[], run: () => void) =>
      disposables.push(code.addAction({ id, label: id, keybindings: keys, run }));
    if (latest.current.onSave) key("save", [CtrlCmd | KeyS], () => latest.current.onSave?.());
    if (latest.current.onRun) key("run", [CtrlCmd | KeyE, CtrlCmd | Enter], () => latest.current.onRun?.());
    editor.current = code;
    latest.current.onMount?.(code);
    return () => {
      editor.current = null;
      for (const each of disposables.reverse()) each.dispose();
      if (!kept) model.dispose();
    };
  }, [path, language, original, readOnly, label, options]);

  useEffect(() => {
    const model = editor.current?.getModel();
    // Who types faster than this is drawn is ahead of `value`, which has what came since in a moment.
    if (!model || told.current !== known || model.getValue() === value) return;
    setting.current = true;
    model.setValue(value);
    setting.current = false;
  }, [value]);

  useEffect(() => {
    const model = editor.current?.getModel();
    if (model) monaco.editor.setModelMarkers(model, "v8box", [...(markers ?? [])]);
  }, [markers, path]);

  return <div ref={place} className={classes("h-full min-h-40 w-full", className)} />;
}
