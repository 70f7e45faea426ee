import { useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { FormDialog } from "@/components/dialog";
import { Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { OperationProgress } from "@/components/progress";
import { Table } from "@/components/table";
import { RelativeTime } from "@/components/values";
import { messages } from "@/features/projects/messages";
import { useApiList, useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";
import { projectPath } from "@/lib/project";
import { SESSION_KEY } from "@/lib/session/me";

export default function ProjectsPage() {
  const t = useMessages(messages);
  const projects = useApiList("GET /api/v1/projects", {});
  const [making, setMaking] = useState(false);
  const { state } = useLocation();
  const deleting = (state as { deleting?: { project: string; operation: string } } | null)?.deleting;
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        <Button
          look="primary"
          icon={Plus}
          needs={{ role: "admin", project: "*" }}
          onClick={() => setMaking(true)}
        >
          {t.make}
        </Button>
      }
    >
      {deleting && (
        <Card>
          <OperationProgress
            id={deleting.operation}
            label={t.removing(deleting.project)}
            invalidates={["GET /api/v1/projects", SESSION_KEY[0]]}
          />
        </Card>
      )}
      <Card flush>
        <Table
          label={t.title}
          rows={projects.items}
          error={projects.error}
          onRetry={() => void projects.refetch()}
          more={projects}
          rowKey={(project) => project.name}
          to={(project) => projectPath(project.name)}
          columns={[
            { id: "name", header: t.name, cell: (project) => project.name, sort: (project) => project.name },
            {
              id: "title",
              header: t.projectTitle,
              from: "sm",
              cell: (project) => project.title,
              sort: (project) => project.title,
            },
            {
              id: "state",
              header: t.state,
              cell: (project) =>
                project.state === "active"
                  ? <Badge tone="ok" dot>{t.active}</Badge>
                  : <Badge tone="warn" dot>{t.deleting}</Badge>,
            },
            {
              id: "made",
              header: t.made,
              from: "sm",
              align: "right",
              cell: (project) => <RelativeTime time={project.created_at} />,
              sort: (project) => project.created_at,
            },
          ]}
        />
      </Card>
      <MakeProject open={making} onClose={() => setMaking(false)} />
    </Page>
  );
}

function MakeProject({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useMessages(messages);
  const [draft, set, reset] = useDraft({ name: "", title: "" });
  const make = useChange("POST /api/v1/projects", { invalidates: ["GET /api/v1/projects"] });
  const navigate = useNavigate();
  const client = useQueryClient();
  return (
    <FormDialog
      open={open}
      onClose={onClose}
      title={t.make}
      submit={t.create}
      onSubmit={async () => {
        const { name, title } = draft;
        await make.mutateAsync({ body: { name, ...(title ? { title } : {}) } });
        await client.invalidateQueries({ queryKey: SESSION_KEY }); // it has the list of the switcher
        reset();
        onClose();
        await navigate(projectPath(name));
      }}
    >
      <Field label={t.name} hint={t.nameHint} error={make.error?.field("name")}>
        <Input
          value={draft.name}
          onChange={(event) => set({ name: event.target.value })}
          autoCapitalize="none"
          spellCheck={false}
          required
          autoFocus
        />
      </Field>
      <Field label={t.projectTitle} hint={t.titleHint} error={make.error?.field("title")}>
        <Input value={draft.title} onChange={(event) => set({ title: event.target.value })} />
      </Field>
    </FormDialog>
  );
}
