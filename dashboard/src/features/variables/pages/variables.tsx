import { Braces, Ellipsis, FileUp, History, Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { VariableInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm } from "@/components/dialog";
import { EmptyState, NoMatch } from "@/components/empty-state";
import { SearchInput } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { ImportVariables } from "@/features/variables/components/import-variables";
import { levelQuery } from "@/features/variables/components/level-fields";
import { SetVariable } from "@/features/variables/components/set-variable";
import { Versions } from "@/features/variables/components/versions";
import { messages } from "@/features/variables/messages";
import { useApiList, useChange, useRest } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

type Asked = { kind: "set" | "import" } | { kind: "change" | "versions" | "delete"; of: VariableInfo };

export default function VariablesPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const list = useApiList("GET /api/v1/projects/{project}/variables", {
    path: { project },
    query: { every_level: true },
  });
  const remove = useChange("DELETE /api/v1/projects/{project}/variables/{name}", {
    invalidates: ["GET /api/v1/projects/{project}/variables"],
  });
  const [asked, setAsked] = useState<Asked | null>(null);
  const [sought, setSought] = useState("");
  const looking = sought.trim() !== "";
  useRest(list, looking);
  const close = () => setAsked(null);
  const variables = list.items as VariableInfo[] | undefined; // of every level: none of them is an effective one
  const found = variables?.filter((each) =>
    `${each.name} ${each.worker ?? ""} ${each.environment ?? ""}`.toLowerCase().includes(sought.trim().toLowerCase())
  );
  const actions = (
    <>
      <Button icon={FileUp} needs="developer" onClick={() => setAsked({ kind: "import" })}>{t.import}</Button>
      <Button look="primary" icon={Plus} needs="developer" onClick={() => setAsked({ kind: "set" })}>{t.set}</Button>
    </>
  );
  return (
    <Page title={t.title} description={t.description} actions={actions}>
      {(variables?.length ?? 0) > 0 && (
        <SearchInput
          label={t.find}
          className="max-w-sm"
          value={sought}
          onChange={(event) => setSought(event.target.value)}
        />
      )}
      <Card flush>
        <Table
          label={t.title}
          rows={found?.length === 0 && looking && list.isFetching ? undefined : found}
          error={list.error}
          onRetry={() => void list.refetch()}
          more={list}
          rowKey={(each) => `${each.name}/${each.worker ?? ""}/${each.environment ?? ""}`}
          columns={[
            {
              id: "name",
              header: t.name,
              cell: (each) => (
                <span className="font-mono text-xs">
                  <span className="font-medium">{each.name}</span>
                  <span className="line-clamp-1 text-muted sm:hidden">{each.secret ? t.secret : each.value}</span>
                </span>
              ),
              sort: (each) => each.name,
            },
            {
              id: "value",
              header: t.value,
              from: "sm",
              width: "28%",
              cell: (each) =>
                each.secret
                  ? <Badge tone="neutral">{t.secret}</Badge>
                  : <span className="line-clamp-1 font-mono text-xs text-muted">{each.value ?? t.hidden}</span>,
            },
            {
              id: "level",
              header: t.level,
              sort: (each) => `${each.worker ?? ""}/${each.environment ?? ""}`,
              cell: (each) => (
                <span className={each.worker || each.environment ? "sm:whitespace-nowrap" : "text-muted"}>
                  {[each.worker, each.environment].filter(Boolean).join(" · ") || t.everywhere}
                </span>
              ),
            },
            {
              id: "changed",
              header: t.changed,
              from: "md",
              sort: (each) => each.updated_at,
              cell: (each) => (
                <span className="whitespace-nowrap text-muted">
                  <RelativeTime time={each.updated_at} /> <span className="max-lg:hidden">{t.by(each.updated_by)}</span>
                </span>
              ),
            },
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              width: "3.5rem",
              cell: (each) => (
                <Menu
                  items={[
                    can("developer")
                      ? [{ label: t.change, icon: Pencil, onSelect: () => setAsked({ kind: "change", of: each }) }]
                      : [],
                    [{
                      label: t.versions,
                      icon: History,
                      disabled: !can("developer"),
                      onSelect: () => setAsked({ kind: "versions", of: each }),
                    }],
                    can("developer")
                      ? [{
                        label: t.remove,
                        icon: Trash2,
                        danger: true,
                        onSelect: () => setAsked({ kind: "delete", of: each }),
                      }]
                      : [],
                  ]}
                >
                  <Button look="quiet" size="sm" icon={Ellipsis} aria-label={`${t.change}: ${each.name}`} />
                </Menu>
              ),
            },
          ]}
          empty={looking ? <NoMatch /> : (
            <EmptyState
              icon={Braces}
              title={t.none}
              actions={<Button icon={Plus} needs="developer" onClick={() => setAsked({ kind: "set" })}>{t.set}</Button>}
              command="v8box secret set API_KEY --worker hello"
            >
              {t.noneHint}
            </EmptyState>
          )}
        />
      </Card>
      {(asked?.kind === "set" || asked?.kind === "change") && (
        <SetVariable project={project} of={asked.kind === "change" ? asked.of : undefined} onClose={close} />
      )}
      {asked?.kind === "versions" && <Versions project={project} of={asked.of} onClose={close} />}
      <ImportVariables project={project} open={asked?.kind === "import"} onClose={close} />
      <Confirm
        open={asked?.kind === "delete"}
        onClose={close}
        title={`${t.remove}: ${asked?.kind === "delete" ? asked.of.name : ""}`}
        what={t.removeHint}
        action={t.remove}
        danger
        onConfirm={async () => {
          if (asked?.kind !== "delete") return;
          const { name, worker, environment } = asked.of;
          const query = levelQuery({ worker: worker ?? "", environment: environment ?? "" });
          await remove.mutateAsync({ path: { project, name }, query });
          toast.done(t.removed(name));
        }}
      />
    </Page>
  );
}
