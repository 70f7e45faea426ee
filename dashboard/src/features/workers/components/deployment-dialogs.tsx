import { useState } from "react";
import { useQueryClient } from "@tanstack/react-query";
import type { DeploymentInfo, VersionShown, WorkerInfo } from "@/api/generated/api";
import { FormDialog } from "@/components/dialog";
import { Field, Input, Select, Switch } from "@/components/field";
import { toast } from "@/components/toast";
import { messages } from "@/features/workers/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApiList } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

const STALE = ["GET /api/v1/projects/{project}/workers"];

function useVersions(worker: string): VersionShown[] {
  const project = useProjectName();
  const versions = useApiList("GET /api/v1/projects/{project}/workers/{worker}/versions", {
    path: { project, worker },
  });
  return versions.items ?? [];
}

function VersionSelect({ versions, value, onChange, label }: {
  versions: readonly VersionShown[];
  value: string;
  onChange: (id: string) => void;
  label: string;
}) {
  return (
    <Field label={label}>
      <Select
        value={value}
        onChange={onChange}
        options={versions.map((each) => ({
          value: each.id,
          label: `v${each.number}${each.tags.length > 0 ? ` (${each.tags.join(", ")})` : ""}`,
          hint: each.message,
        }))}
      />
    </Field>
  );
}

/** Two versions and how the requests are shared between them. */
export function SplitDialog({ worker, deployment, onClose }: {
  worker: WorkerInfo;
  deployment: DeploymentInfo;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const versions = useVersions(worker.name);
  const [first, second] = deployment.versions;
  const [a, setA] = useState(first?.version ?? "");
  const [b, setB] = useState(second?.version ?? "");
  const [weight, setWeight] = useState(second?.weight ?? 10);
  const [sticky, setSticky] = useState(deployment.sticky !== "");
  const other = b || (versions.find((each) => each.id !== a)?.id ?? "");
  const number = (id: string) => versions.find((each) => each.id === id)?.number ?? "?";
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.splitTitle(deployment.environment)}
      description={t.splitHint}
      submit={t.apply}
      disabled={other === "" || other === a}
      onSubmit={async () => {
        const shares = weight <= 0
          ? [{ version: a, weight: 100 }]
          : weight >= 100
          ? [{ version: other, weight: 100 }]
          : [{ version: a, weight: 100 - weight }, { version: other, weight }];
        await api("PUT /api/v1/projects/{project}/workers/{worker}/deployments/{environment}", {
          path: { project, worker: worker.name, environment: deployment.environment },
          body: { versions: shares, sticky: sticky ? "ip" : "" },
        });
        await invalidate(client, STALE);
        onClose();
      }}
    >
      <VersionSelect label={t.version} versions={versions} value={a} onChange={setA} />
      <VersionSelect label={t.canaryVersion} versions={versions} value={other} onChange={setB} />
      <Field label={`v${number(a)} ${100 - weight} % · v${number(other)} ${weight} %`}>
        <input
          type="range"
          min={0}
          max={100}
          aria-label={t.split}
          className="w-full accent-(--color-accent)"
          value={weight}
          onChange={(event) => setWeight(Number(event.target.value))}
        />
      </Field>
      <Field label={t.sticky}>
        <Switch checked={sticky} onChange={setSticky} />
      </Field>
    </FormDialog>
  );
}

/** A version that gets more requests step by step, and none once it does worse. */
export function CanaryDialog({ worker, deployment, onClose }: {
  worker: WorkerInfo;
  deployment: DeploymentInfo;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const live = new Set(deployment.versions.map((each) => each.version));
  const versions = useVersions(worker.name).filter((each) => !live.has(each.id));
  const [chosen, setChosen] = useState("");
  const [steps, setSteps] = useState("5 25 50");
  const [seconds, setSeconds] = useState("60");
  const [errors, setErrors] = useState("5");
  const [p95, setP95] = useState("");
  const version = chosen || (versions[0]?.id ?? "");
  const numbers = steps.split(/[\s,%]+/).filter(Boolean).map(Number);
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.canaryTitle(deployment.environment)}
      description={t.canaryHint}
      submit={t.startCanary}
      disabled={version === "" || numbers.length === 0 || numbers.some((each) => !(each > 0 && each < 100))}
      onSubmit={async () => {
        await api("POST /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/canary", {
          path: { project, worker: worker.name, environment: deployment.environment },
          body: {
            version,
            steps: numbers,
            interval_seconds: Number(seconds),
            guards: {
              ...(errors === "" ? {} : { max_error_rate: Number(errors) / 100 }),
              ...(p95 === "" ? {} : { max_p95_ms: Number(p95) }),
            },
          },
        });
        await invalidate(client, STALE);
        onClose();
      }}
    >
      <VersionSelect label={t.canaryVersion} versions={versions} value={version} onChange={setChosen} />
      <Field label={t.steps}>
        <Input value={steps} onChange={(event) => setSteps(event.target.value)} />
      </Field>
      <Field label={t.interval}>
        <Input type="number" min={1} value={seconds} onChange={(event) => setSeconds(event.target.value)} />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t.maxErrorRate}>
          <Input
            type="number"
            min={0}
            max={100}
            step="any"
            value={errors}
            onChange={(event) => setErrors(event.target.value)}
          />
        </Field>
        <Field label={t.maxP95}>
          <Input type="number" min={1} value={p95} onChange={(event) => setP95(event.target.value)} />
        </Field>
      </div>
    </FormDialog>
  );
}

/** What is live in one environment becomes live in another. */
export function PromoteDialog({ worker, onClose }: { worker: WorkerInfo; onClose: () => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const names = worker.environments.map((each) => each.environment);
  const [from, setFrom] = useState(names.find((each) => each !== "production") ?? names[0] ?? "");
  const [target, setTarget] = useState(from === "production" ? "staging" : "production");
  return (
    <FormDialog
      open
      onClose={onClose}
      title={t.promoteTitle}
      description={t.promoteWhat}
      submit={t.promote}
      disabled={from === target || !/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(target)}
      onSubmit={async () => {
        await api("POST /api/v1/projects/{project}/workers/{worker}/deployments/{environment}/promote", {
          path: { project, worker: worker.name, environment: target },
          body: { from },
        });
        toast.done(t.promoted);
        await invalidate(client, STALE);
        onClose();
      }}
    >
      <Field label={t.from}>
        <Select value={from} onChange={setFrom} options={names.map((each) => ({ value: each, label: each }))} />
      </Field>
      <Field label={t.environment}>
        <Input value={target} onChange={(event) => setTarget(event.target.value.toLowerCase())} />
      </Field>
    </FormDialog>
  );
}
