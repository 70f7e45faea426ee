// All workers of the project: searched, filtered and ordered by the box, and fetched as far as somebody scrolls.
import { Plus, SquareFunction, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import type { WorkerInfo } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button, ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { SearchInput, Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { RelativeTime } from "@/components/values";
import { BulkActions } from "@/features/workers/components/bulk-actions";
import { messages } from "@/features/workers/messages";
import { api, type Call } from "@/lib/api/client";
import { useApi, useApiList } from "@/lib/api/queries";
import { useDebounced } from "@/lib/debounce";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

type Query = NonNullable<Call<"GET /api/v1/projects/{project}/workers">["query"]>;

const LIST = "GET /api/v1/projects/{project}/workers";
const SOURCES = ["folder", "api", "site"] as const;
const STATES = ["live", "not_live", "broken"] as const;
const ORDERS = ["name", "-deployed_at"] as const;
const ANY = "*";
const PAGE = 100;
const MOST_AT_ONCE = 200;
const KEPT_FRESH = 3; // pages: more of them are read again less often

export default function WorkersPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const [filters, setFilters] = useFilters(["search", "tag", "source", "environment", "state", "order"]);
  const [text, setText] = useState(filters.search ?? "");
  const typed = useDebounced(text.trim());
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const said = useRef(filters.search ?? "");
  useEffect(() => {
    if (said.current === typed) return;
    said.current = typed;
    setFilters({ search: typed });
  }, [typed, setFilters]);

  const query = useMemo((): Query => {
    const source = SOURCES.find((each) => each === filters.source);
    const state = STATES.find((each) => each === filters.state);
    const order = ORDERS.find((each) => each === filters.order);
    return {
      ...(filters.search && { search: filters.search }),
      ...(filters.tag && { tag: filters.tag.split(" ") }),
      ...(filters.environment && { environment: filters.environment }),
      ...(source && { source }),
      ...(state && { state }),
      ...(order && { order }),
    };
  }, [filters.search, filters.tag, filters.source, filters.environment, filters.state, filters.order]);
  const filtered = Object.keys(query).some((name) => name !== "order");
  const pages = useRef(1);
  const workers = useApiList(LIST, { path: { project }, query: { ...query, limit: PAGE } }, {
    refetchInterval: pages.current > KEPT_FRESH ? 60_000 : 15_000,
    keepShown: true,
  });
  pages.current = workers.data?.pages.length ?? 1;
  const total = workers.data?.pages[0]?.total ?? 0;
  const tags = useApi("GET /api/v1/projects/{project}/worker-tags", { path: { project }, query: { limit: 200 } });
  const environments = useMemo(
    () => [...new Set(workers.items?.flatMap((each) => each.environments.map((one) => one.environment)) ?? [])].sort(),
    [workers.items],
  );
  const clear = () => {
    setText("");
    said.current = "";
    setFilters({ search: "", tag: "", source: "", environment: "", state: "" });
  };
  const addTag = (tag: string) => setFilters({ tag: [...new Set([...filters.tag?.split(" ") ?? [], tag])].join(" ") });

  /** The names of all that fit, also of those that were not scrolled to. */
  const chooseAll = async () => {
    const names: string[] = [];
    let cursor: string | null | undefined;
    try {
      do {
        const page = await api(LIST, { path: { project }, query: { ...query, limit: MOST_AT_ONCE, cursor } });
        names.push(...page.items.map((each) => each.name));
        cursor = page.next_cursor;
      } while (cursor !== null);
      setChosen(new Set(names));
    } catch (error) {
      toast.failed(error);
    }
  };

  return (
    <Page
      title={t.title}
      description={t.description}
      actions={<ButtonLink look="primary" icon={Plus} to={to("new-worker")}>{t.make}</ButtonLink>}
    >
      <Card flush>
        <div className="grid gap-2 border-b px-4 py-3">
          <div className="flex flex-wrap items-center gap-2 max-sm:grid max-sm:grid-cols-2">
            <SearchInput
              label={t.find}
              className="w-52 max-sm:col-span-2 max-sm:w-full"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
            <Filter
              label={t.source}
              any={t.anySource}
              value={filters.source}
              onChange={(source) => setFilters({ source })}
              options={SOURCES.map((each) => ({ value: each, label: t[each] }))}
            />
            <Filter
              label={t.state}
              any={t.states.any}
              value={filters.state}
              onChange={(state) => setFilters({ state })}
              options={STATES.map((each) => ({ value: each, label: t.states[each] }))}
            />
            {(environments.length > 1 || filters.environment) && (
              <Filter
                label={t.environment}
                any={t.anyEnvironment}
                value={filters.environment}
                onChange={(environment) => setFilters({ environment })}
                options={[...new Set([...environments, ...filters.environment ? [filters.environment] : []])].map(
                  (each) => ({ value: each, label: each }),
                )}
              />
            )}
            {(tags.data?.items.length ?? 0) > 0 && (
              <Filter
                label={t.workerTags}
                any={t.anyTag}
                value={undefined}
                onChange={addTag}
                options={(tags.data?.items ?? []).map((each) => ({
                  value: each.tag,
                  label: `${each.tag} (${each.workers})`,
                }))}
              />
            )}
          </div>
          <div className="flex min-h-7 flex-wrap items-center gap-2 text-sm">
            {chosen.size > 0
              ? (
                <>
                  <span>{t.selected(chosen.size)}</span>
                  {chosen.size < total && (
                    <Button size="sm" look="quiet" onClick={() => void chooseAll()}>{t.chooseAll(total)}</Button>
                  )}
                  <Button size="sm" look="quiet" onClick={() => setChosen(new Set())}>{t.chooseNone}</Button>
                  <span className="grow" />
                  <BulkActions
                    names={[...chosen].sort()}
                    environments={environments}
                    onNone={() => setChosen(new Set())}
                  />
                </>
              )
              : (
                <>
                  <span className="text-muted" aria-live="polite">{workers.items && t.found(total)}</span>
                  {filters.tag?.split(" ").map((tag) => (
                    <button
                      key={tag}
                      type="button"
                      aria-label={`${t.takeOffTags}: ${tag}`}
                      className="inline-flex items-center gap-1 rounded-full border border-accent/40 bg-accent-soft px-2 text-xs leading-5 text-accent hover:bg-hover"
                      onClick={() =>
                        setFilters({ tag: filters.tag?.split(" ").filter((each) => each !== tag).join(" ") ?? "" })}
                    >
                      {tag} <X aria-hidden className="size-3" />
                    </button>
                  ))}
                  {filtered && <Button size="sm" look="quiet" onClick={clear}>{t.clearFilters}</Button>}
                  <div className="ml-auto w-40">
                    <Select
                      label={t.order}
                      value={query.order ?? "name"}
                      onChange={(order) => setFilters({ order: order === "name" ? "" : order })}
                      options={ORDERS.map((each) => ({ value: each, label: t.orders[each] }))}
                    />
                  </div>
                </>
              )}
          </div>
        </div>
        <Table
          label={t.title}
          rows={workers.items}
          error={workers.error}
          onRetry={() => void workers.refetch()}
          more={workers}
          endless
          rowKey={rowKey}
          to={(worker) => to("workers", worker.name)}
          selected={chosen}
          onSelect={setChosen}
          columns={[
            { id: "name", header: t.name, cell: (worker) => <Name worker={worker} /> },
            { id: "tags", header: t.workerTags, from: "md", cell: (worker) => <Tags worker={worker} onTag={addTag} /> },
            { id: "live", header: t.live, cell: (worker) => <Live worker={worker} /> },
            {
              id: "newest",
              header: t.newest,
              from: "lg",
              align: "right",
              cell: (worker) => worker.newest === null ? "–" : `v${worker.newest.number}`,
            },
            { id: "source", header: t.source, from: "lg", cell: (worker) => t[worker.source] },
            {
              id: "at",
              header: t.changed,
              from: "sm",
              align: "right",
              cell: (worker) => <RelativeTime time={worker.deployed_at} />,
            },
          ]}
          empty={filtered
            ? (
              <EmptyState title={t.noneFound} actions={<Button onClick={clear}>{t.clearFilters}</Button>}>
                {t.noneFoundHint}
              </EmptyState>
            )
            : (
              <EmptyState
                icon={SquareFunction}
                title={t.none}
                command="v8box init hello && v8box deploy hello"
                actions={<ButtonLink look="primary" icon={Plus} to={to("new-worker")}>{t.make}</ButtonLink>}
              >
                {t.noneHint}
              </EmptyState>
            )}
        />
      </Card>
    </Page>
  );
}

function rowKey(worker: WorkerInfo): string {
  return worker.name;
}

function Filter({ label, any, value, options, onChange }: {
  label: string;
  any: string;
  value: string | undefined;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
}) {
  return (
    <div className="w-40 max-sm:w-full">
      <Select
        label={label}
        value={value ?? ANY}
        onChange={(chosen) => onChange(chosen === ANY ? "" : chosen)}
        options={[{ value: ANY, label: any }, ...options]}
      />
    </div>
  );
}

function Name({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  return (
    <span className="flex items-center gap-2">
      <span className="font-medium break-all">{worker.name}</span>
      {worker.error !== null && <Badge tone="bad">{t.broken}</Badge>}
    </span>
  );
}

function Tags({ worker, onTag }: { worker: WorkerInfo; onTag: (tag: string) => void }) {
  return (
    <span className="flex flex-wrap gap-1">
      {worker.tags.map((tag) => (
        <button
          key={tag}
          type="button"
          className="max-w-40 truncate rounded-full border px-2 text-xs leading-5 text-muted hover:border-accent hover:text-accent"
          onClick={() => onTag(tag)}
        >
          {tag}
        </button>
      ))}
    </span>
  );
}

function Live({ worker }: { worker: WorkerInfo }) {
  const t = useMessages(messages);
  if (worker.environments.length === 0) return <Badge>{t.notLive}</Badge>;
  return (
    <span className="flex flex-wrap gap-1">
      {worker.environments.map((each) => (
        <Badge key={each.environment} tone={each.environment === "production" ? "ok" : "neutral"}>
          {each.environment} {each.versions.map((share) =>
            each.versions.length > 1 ? `v${share.number} ${share.weight}%` : `v${share.number}`
          ).join(" · ")}
        </Badge>
      ))}
    </span>
  );
}
