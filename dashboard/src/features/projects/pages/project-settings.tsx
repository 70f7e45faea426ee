import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import type { ProjectInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { ConfirmByName } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Field, Input } from "@/components/field";
import { Card, DangerZone, Page } from "@/components/layout";
import { toast } from "@/components/toast";
import { Skeleton } from "@/components/values";
import { Members } from "@/features/projects/components/members";
import { Usage } from "@/features/projects/components/usage";
import { messages } from "@/features/projects/messages";
import { useQuery } from "@tanstack/react-query";
import { ApiError, apiWithHead } from "@/lib/api/client";
import { queryKey, useChange } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

export default function ProjectSettingsPage() {
  const t = useMessages(messages);
  const name = useProjectName();
  const can = useCan();
  const path = { project: name };
  const project = useQuery({
    queryKey: [...queryKey("GET /api/v1/projects/{project}", { path }), "etag"],
    queryFn: ({ signal }) => apiWithHead("GET /api/v1/projects/{project}", { path, signal }),
  });
  const [asked, setAsked] = useState(false);
  const navigate = useNavigate();
  const remove = useChange("DELETE /api/v1/projects/{project}", {});
  return (
    <Page title={t.settings} description={name}>
      <Card title={t.general}>
        {project.error
          ? <ErrorNote error={project.error} onRetry={() => void project.refetch()} />
          : project.data === undefined
          ? <Skeleton className="h-16" />
          : <General key={name} project={project.data.data} etag={project.data.etag} />}
      </Card>
      <Usage project={name} />
      {can("admin") && <Members project={name} />}
      {name !== "default" && (
        <DangerZone
          title={t.remove}
          actions={
            <Button look="danger" needs={{ role: "admin", project: "*" }} onClick={() => setAsked(true)}>
              {t.remove}
            </Button>
          }
        >
          {t.removeHint}
        </DangerZone>
      )}
      <ConfirmByName
        open={asked}
        onClose={() => setAsked(false)}
        title={`${t.remove}: ${name}`}
        name={name}
        what={
          <>
            <p>{t.removeHint}</p>
            <p className="mt-2">{t.removeWhat}</p>
          </>
        }
        onConfirm={async () => {
          const { id } = await remove.mutateAsync({ path, query: { confirm: name } });
          // It is gone from here at once; where the others are its end is told.
          await navigate("/settings/projects", { state: { deleting: { project: name, operation: id } } });
        }}
      />
    </Page>
  );
}

function General({ project, etag }: { project: ProjectInfo; etag: string | null }) {
  const t = useMessages(messages);
  const [title, setTitle] = useState(project.title);
  const change = useChange("PATCH /api/v1/projects/{project}", {
    invalidates: ["GET /api/v1/projects"],
    onSuccess: () => toast.done(t.saved),
  });
  const client = useQueryClient();
  const save = () =>
    change.mutate({ path: { project: project.name }, body: { title }, ifMatch: etag }, {
      onError: (error) => {
        if (error.status === 412) void client.invalidateQueries({ queryKey: ["GET /api/v1/projects/{project}"] });
      },
    });
  const stale = change.error instanceof ApiError && change.error.status === 412;
  return (
    <form
      className="grid max-w-md gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <Field label={t.projectTitle} hint={t.titleHint} error={change.error?.field("title")}>
        <Input value={title} onChange={(event) => setTitle(event.target.value)} />
      </Field>
      {change.error && <ErrorNote error={stale ? new Error(t.conflict) : change.error} />}
      <Button
        type="submit"
        look="primary"
        needs="admin"
        busy={change.isPending}
        disabled={title === project.title}
        className="justify-self-start"
      >
        {t.save}
      </Button>
    </form>
  );
}
