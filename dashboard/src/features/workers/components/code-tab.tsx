import { FilePen, FilePlus, PanelLeft, PanelRight, Play, Save, Trash2, Undo2, WandSparkles } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import type { WorkerInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { Confirm, Dialog, FormDialog } from "@/components/dialog";
import { Divider } from "@/components/divider";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import type { monaco } from "@/components/monaco/setup";
import { Skeleton } from "@/components/values";
import { FileTree } from "@/features/workers/components/file-tree";
import { TestPanel } from "@/features/workers/components/test-panel";
import { isDirty, place } from "@/features/workers/lib/files";
import { type State, useFiles } from "@/features/workers/lib/use-files";
import { messages } from "@/features/workers/messages";
import { apiResponse } from "@/lib/api/client";
import { classes } from "@/lib/classes";
import { useMessages } from "@/lib/i18n/language";
import { usePanel } from "@/lib/panels";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";
import { useShortcuts } from "@/lib/shortcuts";

type LanguageService = typeof import("@/features/workers/lib/language-service");

/** Pixels. */
const TREE = { width: 144, least: 96, most: 360 };
const TEST = { width: 352, least: 280, most: 640 };

/** Of Monaco, which is not there yet when the page is shown. */
const SEVERITY = { error: 8, warning: 4 } as const;

export default function CodeTab({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const [search, setSearch] = useSearchParams();
  const editable = can("developer") && worker.source !== "site";
  const open = useFiles(project, worker);
  const { files, faults, state } = open;
  const [shown, setShown] = useState<string | null>(null);
  const [naming, setNaming] = useState<"new" | "move" | null>(null);
  const [discarding, setDiscarding] = useState(false);
  const [removing, setRemoving] = useState(false);
  const [runs, setRuns] = useState(0);
  const tree = usePanel("files", TREE);
  const test = usePanel("test", TEST);
  const editor = useRef<monaco.editor.IStandaloneCodeEditor | null>(null);
  const main = mainOf(files?.map((each) => each.path));
  const path = shown !== null && files?.some((file) => file.path === shown) ? shown : main;
  const file = files?.find((each) => each.path === path);

  const service = useLanguageService();
  useEffect(() => {
    if (files !== null) service?.openModels(project, worker.name, files);
  }, [service, files, project, worker.name]);
  useEffect(() => () => service?.closeModels(project, worker.name), [service, project, worker.name]);
  useTypes(service, project);
  useEffect(() => {
    if (!open.dirty || open.kept) return;
    const stay = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", stay);
    return () => removeEventListener("beforeunload", stay);
  }, [open.dirty, open.kept]);
  useEffect(() => {
    if (!search.has("run")) return;
    setRuns((n) => n + 1);
    setSearch({}, { replace: true }); // once: not again at a reload
  }, [search, setSearch]);

  const run = useCallback(async () => {
    if (open.dirty && editable && !await open.save()) return; // what would run is not what is shown
    if (!test.shown) test.show(true);
    setRuns((n) => n + 1);
  }, [open, editable, test]);
  useShortcuts({ "mod+s": () => void open.save(), "mod+e": () => void run() });

  const markers = useMemo(() =>
    faults.filter((fault) => fault.file === path).map((fault) => ({
      message: fault.message,
      severity: fault.severity === "error" ? SEVERITY.error : SEVERITY.warning,
      startLineNumber: fault.line,
      startColumn: fault.column,
      endLineNumber: fault.line,
      endColumn: fault.column + 1,
    })), [faults, path]);

  const live = worker.environments.find((each) => each.environment === "production")?.versions;
  // After a rollback, say: what is shown is not what answers.
  const behind = live?.length === 1 && worker.newest !== null && live[0]?.number !== worker.newest.number
    ? live[0]?.number ?? null
    : null;

  if (open.error !== null) return <ErrorNote error={open.error} onRetry={() => void open.reload(true)} />;
  if (files === null) return <Skeleton className="h-96" />;
  if (files.length === 0) return <p className="text-sm text-muted">{t.noFiles}</p>;

  const goTo = (target: string | null, line: number, column: number) => {
    if (target !== null) setShown(target);
    setTimeout(() => {
      editor.current?.revealLineInCenter(line);
      editor.current?.setPosition({ lineNumber: line, column });
      editor.current?.focus();
    }, 50);
  };

  return (
    <div
      style={{ "--test": `${test.width}px`, "--tree": `${tree.width}px` } as React.CSSProperties}
      className={classes("grid gap-4 xl:gap-x-0", test.shown && "xl:grid-cols-[minmax(0,1fr)_1rem_var(--test)]")}
    >
      <section className="grid min-w-0 content-start overflow-hidden rounded-lg border bg-surface shadow-low">
        <header className="flex flex-wrap items-center gap-x-1 gap-y-2 border-b px-2 py-2">
          <Button
            size="sm"
            look="quiet"
            icon={PanelLeft}
            aria-label={t.filesPanel}
            aria-pressed={tree.shown}
            onClick={() => tree.show(!tree.shown)}
          />
          <span className="min-w-0 truncate font-mono text-xs">{path}</span>
          <StateBadge state={state} dirty={open.dirty} />
          <span className="grow" />
          {editable && (
            <>
              <Button size="sm" look="quiet" icon={FilePlus} aria-label={t.newFile} onClick={() => setNaming("new")} />
              <Button
                size="sm"
                look="quiet"
                icon={FilePen}
                aria-label={t.moveFile}
                disabled={file === undefined || file.path === main}
                onClick={() => setNaming("move")}
              />
              <Button
                size="sm"
                look="quiet"
                icon={Trash2}
                aria-label={t.deleteFile}
                disabled={file === undefined || file.path === main}
                onClick={() => setRemoving(true)}
              />
              <Button
                size="sm"
                look="quiet"
                icon={WandSparkles}
                aria-label={t.format}
                onClick={() => void editor.current?.getAction("editor.action.formatDocument")?.run()}
              />
              <Button
                size="sm"
                look="quiet"
                icon={Undo2}
                aria-label={t.discard}
                disabled={!open.dirty}
                onClick={() => setDiscarding(true)}
              />
            </>
          )}
          <Button size="sm" icon={Play} needs="developer" onClick={() => void run()}>{t.run}</Button>
          <Button
            size="sm"
            look="primary"
            icon={Save}
            needs="developer"
            busy={state.kind === "saving"}
            disabled={!open.dirty || !editable}
            onClick={() => void open.save()}
          >
            {t.save}
          </Button>
          <Button
            size="sm"
            look="quiet"
            icon={PanelRight}
            aria-label={t.testPanel}
            aria-pressed={test.shown}
            onClick={() => test.show(!test.shown)}
          />
        </header>
        {worker.source === "site" && <Note>{t.fromSite(worker.sites.join(", "))}</Note>}
        {worker.source !== "site" && !can("developer") && <Note>{t.readOnly}</Note>}
        {open.restored && (
          <Note>
            {t.restored}{" "}
            <button type="button" className="text-accent hover:underline" onClick={() => setDiscarding(true)}>
              {t.discard}
            </button>
          </Note>
        )}
        {open.overtaken.length > 0 && <Note bad>{t.overtaken(open.overtaken.join(", "))}</Note>}
        {behind !== null && <Note>{t.behind(behind)}</Note>}
        {worker.error && <Note bad>{worker.error.file} {worker.error.message}</Note>}
        <div
          className={classes(
            "grid min-h-[30rem]",
            tree.shown && "md:grid-cols-[var(--tree)_0.5rem_minmax(0,1fr)]",
          )}
        >
          {tree.shown && (
            <>
              <FileTree
                paths={files.map((each) => each.path)}
                dirty={new Set(files.filter(isDirty).map((each) => each.path))}
                faulty={new Set(faults.flatMap((fault) => fault.file ?? []))}
                shown={path}
                onShow={setShown}
                onMove={editable
                  ? (chosen) => {
                    setShown(chosen);
                    if (chosen !== main) setNaming("move");
                  }
                  : undefined}
              />
              <Divider
                label={t.filesWidth}
                panel={tree}
                side="left"
                first={TREE.width}
                className="hidden border-r md:grid"
              />
            </>
          )}
          <div className={classes("h-[min(65vh,44rem)] min-w-0", tree.shown && "max-md:border-t")}>
            {file && path && (
              <CodeEditor
                label={path}
                path={place(project, worker.name, path)}
                value={file.text}
                readOnly={!editable}
                markers={markers}
                onChange={(text) => open.change(path, text)}
                onSave={() => void open.save()}
                onRun={() => void run()}
                onMount={(made) => {
                  editor.current = made;
                }}
              />
            )}
          </div>
        </div>
        {faults.length > 0 && (
          <ul aria-label={t.problems} className="max-h-40 overflow-auto border-t text-xs">
            {faults.map((fault, index) => (
              <li key={index}>
                <button
                  type="button"
                  className="flex w-full gap-2 px-3 py-1.5 text-left hover:bg-hover"
                  onClick={() => goTo(fault.file, fault.line, fault.column)}
                >
                  <span aria-hidden className={fault.severity === "error" ? "text-bad" : "text-warn"}>●</span>
                  <span className="min-w-0 grow whitespace-pre-wrap">{fault.message}</span>
                  <span className="shrink-0 font-mono text-muted">{fault.file ?? ""}:{fault.line}</span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </section>
      {test.shown && (
        <Divider label={t.testWidth} panel={test} side="right" first={TEST.width} className="hidden xl:grid" />
      )}
      <div className={classes("min-w-0", !test.shown && "hidden")}>
        <TestPanel worker={worker} asked={runs} template={search.get("template")} />
      </div>
      {naming === "new" && (
        <NameFile
          title={t.newFileTitle}
          submit={t.newFile}
          hint={t.pathHint}
          taken={files.map((each) => each.path)}
          path={path?.slice(0, path.lastIndexOf("/") + 1) ?? ""}
          onClose={() => setNaming(null)}
          onName={(made) => {
            open.add(made);
            setShown(made);
          }}
        />
      )}
      {naming === "move" && path !== null && (
        <NameFile
          title={t.moveFileTitle(path)}
          submit={t.moveFile}
          hint={t.moveFileHint}
          taken={files.map((each) => each.path)}
          path={path}
          onClose={() => setNaming(null)}
          onName={(to) => {
            open.move(path, to);
            setShown(to);
          }}
        />
      )}
      <Confirm
        open={discarding}
        onClose={() => setDiscarding(false)}
        title={t.discardTitle}
        what={t.discardWhat}
        action={t.discard}
        danger
        onConfirm={() => open.discard()}
      />
      <Confirm
        open={removing && file !== undefined}
        onClose={() => setRemoving(false)}
        title={t.deleteFileTitle(path ?? "")}
        what={file?.saved === null ? null : t.deleteFileWhat}
        action={t.deleteFile}
        danger
        onConfirm={async () => {
          if (file) await open.remove(file);
        }}
      />
      <Dialog
        open={open.conflict !== null}
        onClose={() => open.settle("later")}
        title={t.conflictTitle}
        description={t.conflictWhat(open.conflict?.mine.path ?? "")}
        width="xl"
        footer={
          <>
            <Button onClick={() => open.settle("later")}>{t.decideLater}</Button>
            <Button onClick={() => open.settle("theirs")}>{t.takeTheirs}</Button>
            <Button look="primary" onClick={() => open.settle("mine")}>{t.keepMine}</Button>
          </>
        }
      >
        <div className="h-96">
          <CodeEditor
            label={t.conflictTitle}
            path={open.conflict?.mine.path ?? ""}
            original={open.conflict?.theirs.text ?? ""}
            value={open.conflict?.mine.text ?? ""}
            readOnly
          />
        </div>
      </Dialog>
    </div>
  );
}

/** What the editor knows comes with Monaco: the page is there before it. */
function useLanguageService(): LanguageService | null {
  const [service, setService] = useState<LanguageService | null>(null);
  useEffect(() => {
    let wanted = true;
    void import("@/features/workers/lib/language-service").then((loaded) => {
      if (wanted) setService(loaded);
    });
    return () => {
      wanted = false;
    };
  }, []);
  return service;
}

function useTypes(service: LanguageService | null, project: string): void {
  useEffect(() => {
    if (service === null) return;
    const stopping = new AbortController();
    let types: monaco.IDisposable | undefined;
    apiResponse("GET /api/v1/projects/{project}/types", { path: { project }, signal: stopping.signal })
      .then((answer) => answer.text())
      .then((text) => {
        if (!stopping.signal.aborted) types = service.setTypes(text);
      })
      .catch(() => {/* without them the editor knows less; the box's check knows all */});
    return () => {
      stopping.abort();
      types?.dispose();
    };
  }, [service, project]);
}

function StateBadge({ state, dirty }: { state: State; dirty: boolean }) {
  const t = useMessages(messages);
  switch (state.kind) {
    case "same":
      return null;
    case "draft":
      return dirty ? <Badge tone="warn">{t.unsaved}</Badge> : null;
    case "checking":
      return <Badge tone="accent">{t.checking}</Badge>;
    case "checked":
      return <Badge tone="accent">{t.checked(state.ms)}</Badge>;
    case "faulty":
      return <Badge tone="bad">{t.faults(state.count)}</Badge>;
    case "saving":
      return <Badge tone="accent">{t.saving}</Badge>;
    case "deployed":
      return <Badge tone="ok" dot>{t.deployed(state.number, state.ms)}</Badge>;
    case "not-live":
      return <Badge tone="bad">{t.savedNotLive}</Badge>;
  }
}

function Note({ bad, children }: { bad?: boolean; children: React.ReactNode }) {
  return (
    <p className={`border-b px-3 py-2 text-xs ${bad ? "bg-bad-soft text-bad" : "bg-sunken text-muted"}`}>{children}</p>
  );
}

/** Asks for a file's path: of a new one, or of one that moves. */
function NameFile({ title, submit, hint, taken, path: before, onClose, onName }: {
  title: string;
  submit: string;
  hint: string;
  taken: readonly string[];
  path: string;
  onClose: () => void;
  onName: (path: string) => void;
}) {
  const t = useMessages(messages);
  const [path, setPath] = useState(before);
  const bad = !/^[\w@.()[\]-]+(\/[\w@.()[\]-]+)*$/.test(path) || path.split("/").includes("..") || taken.includes(path);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={title}
      submit={submit}
      disabled={bad}
      onSubmit={async () => {
        onName(path);
        onClose();
        await Promise.resolve();
      }}
    >
      <Field label={t.path} hint={hint}>
        <Input
          autoFocus
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          value={path}
          onChange={(event) => setPath(event.target.value)}
        />
      </Field>
    </FormDialog>
  );
}

/** The file that is shown first. */
function mainOf(paths: readonly string[] | undefined): string | null {
  if (paths === undefined) return null;
  return paths.find((path) => /(^|\/)main\.\w+$/.test(path)) ?? paths.find((path) => /\.[mc]?[tj]sx?$/.test(path)) ??
    paths[0] ?? null;
}
