import { Download, ScrollText, ShieldCheck } from "lucide-react";
import { useMutation } from "@tanstack/react-query";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { ErrorNote } from "@/components/error-note";
import { Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { TableSkeleton } from "@/components/table";
import { toast } from "@/components/toast";
import { asked, AuditFilters, FILTERS } from "@/features/audit/components/filters";
import { Entry } from "@/features/audit/components/entry";
import { messages } from "@/features/audit/messages";
import { api, type ApiError, apiUrl } from "@/lib/api/client";
import { useApiList } from "@/lib/api/queries";
import { useDebounced } from "@/lib/debounce";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { may, useSession } from "@/lib/session/session";

export default function AuditPage() {
  const t = useMessages(messages);
  const me = useSession();
  const project = useProjectName();
  const [filters, setFilters] = useFilters([...FILTERS, "everywhere"]);
  const { everywhere, ...own } = filters;
  const whole = may(me, "admin", "*");
  const query = useDebounced({ ...asked(own), ...(everywhere && whole ? {} : { project }) });
  const entries = useApiList("GET /api/v1/audit", { query: { ...query, limit: 50 } });
  const verify = useMutation({
    mutationFn: () => api("GET /api/v1/audit/verify"),
    onSuccess: (told) =>
      told.ok
        ? toast.done(t.sound(told.entries))
        : toast.failed(new Error(t.broken(told.first_bad ?? 0, told.reason ?? ""))),
    onError: (error: ApiError) => toast.failed(error),
  });
  const save = (format: "jsonl" | "csv") => () =>
    location.assign(apiUrl("GET /api/v1/audit/export", { query: { ...query, format } }));
  const filtered = Object.keys(own).length > 0;
  return (
    <Page
      title={t.title}
      description={t.description}
      actions={
        <>
          {whole && (
            <>
              <Select
                label={t.project}
                className="w-44"
                value={everywhere ? "all" : "here"}
                onChange={(chosen) => setFilters({ everywhere: chosen === "all" ? "1" : "" })}
                options={[{ value: "here", label: t.ofProject(project) }, { value: "all", label: t.ofAll }]}
              />
              <Button icon={ShieldCheck} busy={verify.isPending} onClick={() => verify.mutate()}>{t.verify}</Button>
            </>
          )}
          <Menu
            label={t.export}
            items={[[
              { label: t.exportAs("CSV"), onSelect: save("csv") },
              { label: t.exportAs("JSON lines"), onSelect: save("jsonl") },
            ]]}
          >
            <Button icon={Download}>{t.export}</Button>
          </Menu>
        </>
      }
    >
      <AuditFilters filters={own} onChange={setFilters} />
      <Card flush>
        {entries.error && entries.items === undefined
          ? (
            <div className="p-4">
              <ErrorNote error={entries.error} onRetry={() => void entries.refetch()} />
            </div>
          )
          : entries.items === undefined
          ? <TableSkeleton rows={8} />
          : entries.items.length === 0
          ? (
            <EmptyState
              icon={ScrollText}
              title={filtered ? t.noneFound : t.none}
              {...(filtered ? {} : { command: "v8box audit list" })}
            >
              {filtered ? (entries.hasNextPage ? t.noneFoundHint : null) : t.noneHint}
            </EmptyState>
          )
          : <ol>{entries.items.map((entry) => <Entry key={entry.number} entry={entry} />)}</ol>}
        {entries.hasNextPage && (
          <div className="border-t p-2 text-center">
            <Button
              size="sm"
              look="quiet"
              busy={entries.isFetchingNextPage}
              onClick={() => void entries.fetchNextPage()}
            >
              {t.further}
            </Button>
          </div>
        )}
      </Card>
    </Page>
  );
}
