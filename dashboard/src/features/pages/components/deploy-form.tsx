import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { Release } from "@/api/generated/api";
import { Button } from "@/components/button";
import { ErrorNote } from "@/components/error-note";
import { Checkbox, Field, Input } from "@/components/field";
import { Progress } from "@/components/progress";
import { DropZone } from "@/features/pages/components/drop-zone";
import type { Chosen } from "@/features/pages/lib/chosen";
import { deploy, type Stage } from "@/features/pages/lib/deploy";
import { SITES } from "@/features/pages/lib/queries";
import { messages } from "@/features/pages/messages";
import { ApiError } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { formatBytes } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

/** Chooses files, sends them with progress, and makes a release of them. `before` may refuse by throwing. */
export function DeployForm({ site, onChoose, before, draftOnly, onDone }: {
  site: string;
  onChoose?: (chosen: Chosen) => void;
  before?: () => Promise<unknown>;
  /** Its live release comes from elsewhere. */
  draftOnly?: boolean;
  onDone: (release: Release) => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const [message, setMessage] = useState("");
  const [draft, setDraft] = useState(draftOnly === true);
  const [stage, setStage] = useState<Stage | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [stopped, setStopped] = useState(false);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);

  const start = async () => {
    if (chosen === null || running.current !== null) return;
    const control = new AbortController();
    running.current = control;
    setError(null);
    setStopped(false);
    try {
      await before?.();
      const release = await deploy({ project, site, message, live: !draft }, chosen, setStage, control.signal);
      await invalidate(client, SITES);
      onDone(release);
    } catch (problem) {
      if (control.signal.aborted || (problem instanceof DOMException && problem.name === "AbortError")) {
        setStopped(true);
      } else setError(problem);
    } finally {
      running.current = null;
      setStage(null);
    }
  };
  const entry = error instanceof ApiError && typeof error.problem.entry === "string" ? error.problem.entry : null;

  return (
    <form
      className="grid gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        void start();
      }}
    >
      <DropZone
        chosen={chosen}
        disabled={stage !== null}
        onChoose={(found) => {
          setChosen(found);
          setError(null);
          setStopped(false);
          if (found) onChoose?.(found);
        }}
      />
      <Field label={t.message} hint={t.messageHint}>
        <Input value={message} maxLength={500} onChange={(event) => setMessage(event.target.value)} />
      </Field>
      <Checkbox
        checked={draft}
        disabled={draftOnly === true}
        onChange={setDraft}
        label={draftOnly ? t.draftOnly : t.draft}
      />
      {stage && (
        <div className="grid gap-1.5" aria-live="polite">
          <div className="flex items-center justify-between gap-3 text-sm">
            <span>
              <StageText stage={stage} />
            </span>
            <Button size="sm" onClick={() => running.current?.abort()}>{t.stop}</Button>
          </div>
          <Progress label={t.deploying} value={stage.total ? stage.done / stage.total : undefined} />
        </div>
      )}
      {stopped && <p role="status" className="text-sm text-muted">{t.stopped}</p>}
      {error !== null && !(error instanceof ApiError && error.code === "shown") && (
        <div className="grid gap-1">
          <ErrorNote error={error instanceof ApiError && error.code === "insecure" ? new Error(t.insecure) : error} />
          {entry !== null && (
            <p className="text-sm text-muted">
              {t.entry} <code className="font-mono break-all">{entry}</code>
            </p>
          )}
        </div>
      )}
      <div className="flex justify-end">
        <Button
          type="submit"
          look="primary"
          needs="developer"
          busy={stage !== null}
          disabled={chosen === null || site === ""}
        >
          {t.deploy}
        </Button>
      </div>
    </form>
  );
}

function StageText({ stage }: { stage: Stage }) {
  const t = useMessages(messages);
  if (stage.step === "reading") return t.reading(stage.done, stage.total);
  if (stage.step === "making") return stage.told ?? t.making;
  const bytes = t.sending(formatBytes(stage.done), formatBytes(stage.total));
  return stage.files === undefined ? bytes : `${bytes} · ${t.sendingFiles(stage.files, stage.kept ?? 0)}`;
}
