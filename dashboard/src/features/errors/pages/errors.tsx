import { Bug, Check, EyeOff } from "lucide-react";
import { useState } from "react";
import { useSearchParams } from "react-router";
import type { ErrorInfo, ErrorSort, ErrorState } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Field, Input, SearchInput, Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Sparkline } from "@/components/sparkline";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { Forwarding } from "@/features/errors/components/forwarding";
import { messages } from "@/features/errors/messages";
import { useApi, useApiList, useChange } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const STATES = ["open", "regressed", "ignored", "resolved", "all"] as const;
const SORTS: readonly ErrorSort[] = ["last_seen", "first_seen", "count"];
const STALE = ["GET /api/v1/projects/{project}/errors"];

export default function ErrorsPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const [search, setSearch] = useSearchParams();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const state = STATES.find((each) => each === search.get("state")) ?? "open";
  const sort = SORTS.find((each) => each === search.get("sort")) ?? "last_seen";
  const q = search.get("q") ?? "";
  const worker = search.get("worker") ?? "";
  const environment = search.get("environment") ?? "";
  const of = { worker: worker || null, environment: environment || null };
  const set = (key: string, value: string) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      if (value === "") next.delete(key);
      else next.set(key, value);
      return next;
    }, { replace: true });
  const wanted: ErrorState[] | null = state === "all" ? null : state === "open" ? ["open", "regressed"] : [state];
  const found = useApiList("GET /api/v1/projects/{project}/errors", {
    path: { project },
    query: { state: wanted, q: q || null, sort, ...of },
  }, { refetchInterval: 3_000 });
  const counts = useApi("GET /api/v1/projects/{project}/errors/counts", { path: { project }, query: of }, {
    refetchInterval: 3_000,
  });
  const change = useChange("POST /api/v1/projects/{project}/errors/states", {
    invalidates: STALE,
    onSuccess: () => setChosen(new Set()),
  });
  const move = (to: "ignored" | "resolved") =>
    change.mutate({ path: { project }, body: { state: to, ids: [...chosen] } }, { onError: toast.failed });
  return (
    <Page title={t.title} description={t.description} wide>
      <Card flush>
        <div role="tablist" aria-label={t.stateTabs} className="flex gap-1 overflow-x-auto border-b px-2">
          {STATES.map((each) => (
            <button
              key={each}
              type="button"
              role="tab"
              aria-selected={state === each}
              className={classes(
                "-mb-px shrink-0 border-b-2 px-3 py-2 text-sm font-medium",
                state === each ? "border-accent" : "border-transparent text-muted hover:text-text",
              )}
              onClick={() => set("state", each)}
            >
              {t.states[each]}
              {each !== "all" && counts.data !== undefined && counts.data[each] > 0 && (
                <span className="tabular ml-1.5 text-muted">{formatNumber(counts.data[each])}</span>
              )}
            </button>
          ))}
        </div>
        <div className="flex flex-wrap items-center gap-2 border-b px-4 py-3">
          <SearchInput
            label={t.find}
            className="max-sm:grow"
            value={q}
            onChange={(event) => set("q", event.target.value)}
          />
          {([["worker", worker], ["environment", environment]] as const).map(([name, value]) => (
            <Field key={name} label={t[name]} hideLabel className="w-36">
              <Input
                placeholder={t[name]}
                value={value}
                onChange={(event) =>
                  set(name, event.target.value)}
              />
            </Field>
          ))}
          <div className="w-40">
            <Select<ErrorSort>
              label={t.sort}
              value={sort}
              onChange={(value) => set("sort", value)}
              options={SORTS.map((each) => ({ value: each, label: t.sorts[each] }))}
            />
          </div>
          {chosen.size > 0 && (
            <span className="ml-auto flex items-center gap-2">
              <span className="text-sm text-muted">{t.chosen(chosen.size)}</span>
              <Button size="sm" icon={EyeOff} needs="developer" onClick={() => move("ignored")}>{t.ignore}</Button>
              <Button size="sm" icon={Check} needs="developer" onClick={() => move("resolved")}>{t.resolve}</Button>
            </span>
          )}
        </div>
        <Table
          label={t.title}
          rows={found.items}
          error={found.error}
          onRetry={() => void found.refetch()}
          more={found}
          rowKey={(each) => each.id}
          to={(each) => to("errors", each.id)}
          selected={chosen}
          onSelect={setChosen}
          columns={[
            { id: "error", header: t.error, cell: (each) => <What error={each} /> },
            { id: "worker", header: t.worker, from: "md", width: "9rem", cell: (each) => each.worker },
            {
              id: "hours",
              header: t.hours,
              from: "md",
              width: "7rem",
              cell: (each) => <Sparkline label={t.hours} values={lastDay(each)} />,
            },
            { id: "count", header: t.count, align: "right", width: "5rem", cell: (each) => formatNumber(each.count) },
            {
              id: "last",
              header: t.lastSeen,
              align: "right",
              from: "sm",
              width: "9rem",
              cell: (each) => <RelativeTime time={each.last_seen} />,
            },
          ]}
          empty={<EmptyState icon={Bug} title={t.none} command="v8box errors">{t.noneHint}</EmptyState>}
        />
      </Card>
      <Forwarding />
    </Page>
  );
}

function What({ error }: { error: ErrorInfo }) {
  const t = useMessages(messages);
  return (
    <span className="grid gap-0.5 py-1">
      <span className="flex flex-wrap items-center gap-1.5">
        <span className="font-medium">{error.name}</span>
        {error.state === "regressed" && <Badge tone="bad">{t.states.regressed}</Badge>}
        {error.kind !== "exception" && <Badge>{t.kinds[error.kind]}</Badge>}
      </span>
      <span className="line-clamp-1 text-muted">{error.message}</span>
      {error.top && (
        <span className="truncate font-mono text-xs text-muted">
          {error.top.file}:{error.top.line} {error.top.function}
        </span>
      )}
    </span>
  );
}

/** How many in each of the last 24 hours. */
function lastDay({ hours }: ErrorInfo): number[] {
  const counted = new Map(hours.map((each) => [Math.floor(Date.parse(each.at) / 3_600_000), each.count]));
  const now = Math.floor(Date.now() / 3_600_000);
  return Array.from({ length: 24 }, (_, index) => counted.get(now - 23 + index) ?? 0);
}
