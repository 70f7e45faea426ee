import { useState } from "react";
import { useNavigate } from "react-router";
import { useQueryClient } from "@tanstack/react-query";
import { Button } from "@/components/button";
import { CodeEditor } from "@/components/code-editor";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { toast } from "@/components/toast";
import { TEMPLATES } from "@/features/workers/lib/templates";
import { messages } from "@/features/workers/messages";
import { api, ApiError } from "@/lib/api/client";
import { invalidate } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { useLanguage, useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;

async function exists(project: string, worker: string): Promise<boolean> {
  try {
    await api("GET /api/v1/projects/{project}/workers/{worker}", { path: { project, worker } });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false;
    throw error;
  }
}

export default function NewWorkerPage() {
  const t = useMessages(messages);
  const language = useLanguage();
  const project = useProjectName();
  const to = useProjectPath();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState("hello");
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [touched, setTouched] = useState(false);
  const template = TEMPLATES.find((each) => each.id === chosen);
  const right = NAME.test(name);

  const create = async () => {
    if (!template || !right) return setTouched(true);
    setBusy(true);
    setError(null);
    try {
      if (await exists(project, name)) throw new Error(t.taken);
      const made = await api("PUT /api/v1/projects/{project}/workers/{worker}", {
        path: { project, worker: name },
        query: { message: `${template.title} template` },
        body: { files: template.files },
      });
      toast.done(t.deployed(made.newest?.number ?? 1, 0).replace(/ · .*/, ""));
      await invalidate(client, ["GET /api/v1/projects/{project}/workers"]);
      await navigate(`${to("workers", name)}?template=${template.id}`);
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };

  return (
    <Page title={t.make} crumbs={[{ label: t.title, to: to("workers") }]} wide>
      <form
        className="grid gap-5 lg:grid-cols-[22rem_minmax(0,1fr)]"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
      >
        <div className="grid content-start gap-5">
          <Field label={t.name} hint={t.nameHint} error={touched && !right ? t.badName : undefined}>
            <Input
              autoFocus
              autoComplete="off"
              spellCheck={false}
              value={name}
              maxLength={63}
              onChange={(event) => setName(event.target.value.toLowerCase())}
              onBlur={() => setTouched(name !== "")}
            />
          </Field>
          <fieldset className="grid gap-2">
            <legend className="mb-1.5 text-sm font-medium">{t.templates}</legend>
            {TEMPLATES.map((each) => (
              <label
                key={each.id}
                className={classes(
                  "grid cursor-pointer gap-0.5 rounded-lg border bg-surface px-3 py-2 shadow-low has-focus-visible:outline-2 has-focus-visible:outline-accent",
                  each.id === chosen ? "border-accent" : "hover:bg-hover",
                )}
              >
                <span className="flex items-center gap-2 text-sm font-medium">
                  <input
                    type="radio"
                    name="template"
                    className="accent-(--color-accent)"
                    checked={each.id === chosen}
                    onChange={() => setChosen(each.id)}
                  />
                  {each.title}
                </span>
                <span className="pl-5 text-xs text-muted">{each.about[language]}</span>
              </label>
            ))}
          </fieldset>
          {error !== null && <ErrorNote error={error} />}
          <Button type="submit" look="primary" needs="developer" busy={busy}>{t.create}</Button>
        </div>
        <Card flush title="main.ts" className="max-lg:hidden">
          <div className="h-[32rem]">
            <CodeEditor
              key={chosen}
              label={template?.title ?? ""}
              value={template?.files["main.ts"] ?? ""}
              language="typescript"
              readOnly
            />
          </div>
        </Card>
      </form>
    </Page>
  );
}
