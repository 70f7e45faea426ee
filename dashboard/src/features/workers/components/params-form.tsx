import { useMemo, useState } from "react";
import type { WorkerInfo } from "@/api/generated/api";
import { Field, Input, Select } from "@/components/field";
import { bodyOf, fieldsOf, type ParamField, schemaOf } from "@/features/workers/lib/requests";
import { messages } from "@/features/workers/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";

/** A form of what the worker's schema says its params are. Each change is the request's body. */
export function ParamsForm({ worker, onBody }: { worker: WorkerInfo; onBody: (body: string) => void }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const [values, setValues] = useState<Record<string, string>>({});
  const version = useApi("GET /api/v1/projects/{project}/workers/{worker}/versions/{ref}", {
    path: { project, worker: worker.name, ref: String(worker.newest?.number ?? 1) },
  }, { enabled: worker.newest !== null });
  const fields = useMemo(() => {
    return fieldsOf(schemaOf(version.data?.manifest));
  }, [version.data]);
  if (fields.length === 0) return <p className="text-xs text-muted">{t.paramsHint}</p>;
  const set = (name: string, value: string) => {
    const next = { ...values, [name]: value };
    setValues(next);
    onBody(bodyOf(fields, next));
  };
  return (
    <div className="grid gap-3">
      {fields.map((field) => (
        <Field key={field.name} label={`${field.name}${field.required ? " *" : ""}`} hint={field.description}>
          <Control
            field={field}
            value={values[field.name] ?? ""}
            onChange={(value) =>
              set(field.name, value)}
          />
        </Field>
      ))}
    </div>
  );
}

function Control({ field, value, onChange }: { field: ParamField; value: string; onChange: (value: string) => void }) {
  const options = field.options ?? (field.type === "boolean" ? ["true", "false"] : null);
  if (options !== null) {
    return (
      <Select
        value={value === "" ? "–" : value}
        onChange={(chosen) => onChange(chosen === "–" ? "" : chosen)}
        options={["–", ...options].map((each) => ({ value: each, label: each }))}
      />
    );
  }
  return (
    <Input
      type={field.type === "number" ? "number" : "text"}
      step="any"
      className={field.type === "json" ? "font-mono text-xs" : ""}
      value={value}
      onChange={(event) => onChange(event.target.value)}
    />
  );
}
