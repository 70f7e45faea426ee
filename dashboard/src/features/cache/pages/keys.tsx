// What workers keep: spaces on the left, keys folder by folder, and one key in a dialog. All of it is in the address.
import { useQueryClient } from "@tanstack/react-query";
import { DatabaseZap, Ellipsis, Plus, RotateCcw, SearchX, Trash2 } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";
import { Button } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { SearchInput, Select } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { CacheTabs } from "@/features/cache/components/cache-tabs";
import { DeleteBelow } from "@/features/cache/components/delete-below";
import { KeyDialog } from "@/features/cache/components/key-dialog";
import { KeyTable } from "@/features/cache/components/key-table";
import { NewKey } from "@/features/cache/components/new-key";
import { Spaces } from "@/features/cache/components/spaces";
import { COLLECTIONS } from "@/features/cache/lib/collections";
import { fromId, idOf } from "@/features/cache/lib/data";
import { LISTS, SPACES, useKeys } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { invalidate, useApi } from "@/lib/api/queries";
import { useDebounced } from "@/lib/debounce";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const SAMPLE = `export default async function ({ cache }) {
  await cache.set("greeting", "hello", "EX", 3600);
  return await cache.get("greeting");
}`;
const KV_SAMPLE = `await env.PAGES.put("home", "<h1>Hello</h1>", {
  expirationTtl: 3600,
});`;

export default function KeysPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const can = useCan();
  const client = useQueryClient();
  const [view, setView] = useFilters(["space", "prefix", "find", "type", "key"]);
  const settled = useDebounced(view.find ?? "");
  const { space = "cache", prefix = "", find = "", type = "" } = view;
  const place = { project, space };
  const spaces = useApi(SPACES, { path: { project } }, {
    refetchInterval: (query) => query.state.data?.measuring ? 1500 : 15_000,
  });
  const list = useKeys(place, prefix + settled, type);
  const [asked, setAsked] = useState<"new" | "delete" | null>(null);
  const key = fromId(view.key);
  const known = key === null ? undefined : list.lines?.flatMap((line) => "key" in line ? [line.key] : [])
    .find((each) => idOf(each.key) === view.key);
  const link = (change: Record<string, string>) =>
    `?${new URLSearchParams({ ...(space === "cache" ? {} : { space }), ...(type ? { type } : {}), ...change })}`;
  const below = prefix + find;
  const isEmpty = below === "" && type === "";

  return (
    <Page
      title={t.title}
      description={t.description}
      wide
      actions={
        <>
          <Button
            icon={RotateCcw}
            aria-label={t.reload}
            busy={list.isFetching}
            onClick={() => void invalidate(client, LISTS)}
          />
          <Menu
            items={[[{
              label: below === "" ? t.deleteAll : t.deleteBelowThis,
              icon: Trash2,
              danger: true,
              disabled: !can("developer"),
              onSelect: () => setAsked("delete"),
            }]]}
          >
            <Button icon={Ellipsis} aria-label={t.more} />
          </Menu>
          <Button look="primary" icon={Plus} needs="developer" onClick={() => setAsked("new")}>{t.newKey}</Button>
        </>
      }
    >
      <CacheTabs />
      <div className="grid grid-cols-[minmax(0,1fr)] gap-5 lg:grid-cols-[14rem_minmax(0,1fr)]">
        <Spaces spaces={spaces.data} error={spaces.error} chosen={space} />
        <div className="grid min-w-0 content-start gap-3">
          <div className="flex flex-wrap items-center gap-2">
            <div className="min-w-0 flex-1 basis-52">
              <Folders space={space} prefix={prefix} link={link} />
            </div>
            <SearchInput
              className="w-64 max-sm:w-full"
              label={t.find}
              value={find}
              spellCheck={false}
              autoCapitalize="none"
              onChange={(event) => setView({ find: event.target.value })}
            />
            {space === "cache" && (
              <div className="w-36 max-sm:w-full">
                <Select<string>
                  label={t.type}
                  value={type || "all"}
                  onChange={(chosen) => setView({ type: chosen === "all" ? "" : chosen })}
                  options={["all", "string", ...COLLECTIONS].map((each) => ({
                    value: each,
                    label: each === "all" ? t.allTypes : t.types[each] ?? each,
                  }))}
                />
              </div>
            )}
          </div>
          <Card flush>
            <KeyTable
              list={list}
              prefix={prefix}
              folderLink={(to) => link({ prefix: to })}
              onOpen={(opened) => setView({ key: idOf(opened) })}
              empty={isEmpty
                ? (
                  <EmptyState
                    icon={DatabaseZap}
                    title={t.none}
                    command={space === "cache" ? SAMPLE : KV_SAMPLE}
                    actions={<Button icon={Plus} needs="developer" onClick={() => setAsked("new")}>{t.newKey}</Button>}
                  >
                    {space === "cache" ? t.noneHint : t.noneKvHint}
                  </EmptyState>
                )
                : <EmptyState icon={SearchX} title={t.nothingFound}>{t.nothingFoundHint}</EmptyState>}
            />
          </Card>
          {list.looking && list.lines !== undefined && <p role="status" className="text-xs text-muted">{t.looking}</p>}
        </div>
      </div>
      {key !== null && (
        <KeyDialog
          key={view.key}
          place={place}
          name={key}
          known={known}
          onClose={() => setView({ key: "" })}
          onRenamed={(to) => setView({ key: idOf(to) })}
        />
      )}
      {asked === "new" && (
        <NewKey
          place={place}
          prefix={prefix}
          onClose={() => setAsked(null)}
          onMade={(made) => {
            setAsked(null);
            setView({ key: idOf(made) });
          }}
        />
      )}
      {asked === "delete" && <DeleteBelow place={place} prefix={below} onClose={() => setAsked(null)} />}
    </Page>
  );
}

/** The folders above the one at hand. */
function Folders({ space, prefix, link }: {
  space: string;
  prefix: string;
  link: (change: Record<string, string>) => string;
}) {
  const t = useMessages(messages);
  const parts = prefix.match(/[^:/]*[:/]|[^:/]+$/g) ?? [];
  return (
    <nav aria-label={t.folders} className="flex flex-wrap items-center gap-x-0.5 font-mono text-sm">
      <Link to={link({})} className="rounded-sm px-1 hover:underline">
        {space === "cache" ? t.ownSpace : space.slice(3)}
      </Link>
      {parts.length > 0 && <span aria-hidden className="text-muted">›</span>}
      {parts.map((part, index) => (
        <Link
          key={index}
          to={link({ prefix: parts.slice(0, index + 1).join("") })}
          aria-current={index === parts.length - 1 ? "page" : undefined}
          className="rounded-sm px-0.5 break-all hover:underline"
        >
          {part}
        </Link>
      ))}
    </nav>
  );
}
