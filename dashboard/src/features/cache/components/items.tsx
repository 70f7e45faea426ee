// What a collection holds, as a table: fields, items, members, entries. Each is changed alone.
import { useQueryClient } from "@tanstack/react-query";
import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { CacheItem, CacheItemBody } from "@/api/generated/api";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Confirm, FormDialog } from "@/components/dialog";
import { type Column, Table } from "@/components/table";
import { toast } from "@/components/toast";
import { ItemFields } from "@/features/cache/components/item-fields";
import {
  addition,
  canEdit,
  type Collection,
  type Draft,
  draftOf,
  edit,
  isWhole,
  removal,
  titleOf,
} from "@/features/cache/lib/collections";
import { type Data, idOf, named, words } from "@/features/cache/lib/data";
import { LISTS, type Place, VALUE } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { api } from "@/lib/api/client";
import { invalidate, useChange } from "@/lib/api/queries";
import { useDraft } from "@/lib/draft";
import { useMessages } from "@/lib/i18n/language";

const CHANGE = "POST /api/v1/projects/{project}/cache/items";
type Asked = { kind: "add" } | { kind: "edit" | "remove"; item: CacheItem };

export function Items({ place, name, type, items, more, onGone }: {
  place: Place;
  name: Data;
  type: Collection;
  items: readonly CacheItem[];
  more: { hasNextPage: boolean; fetchNextPage: () => unknown; isFetchingNextPage: boolean };
  /** With its last item the key is gone. */
  onGone: () => void;
}) {
  const t = useMessages(messages);
  const client = useQueryClient();
  const change = useChange(CHANGE);
  const [asked, setAsked] = useState<Asked | null>(null);
  const send = async (body: CacheItemBody) => {
    const done = await change.mutateAsync({
      path: { project: place.project },
      query: { space: place.space, ...named("key", name) },
      body,
    });
    setAsked(null);
    toast.done(t.saved);
    await invalidate(client, done.key === null ? LISTS : [VALUE, ...LISTS]);
    if (done.key === null) onGone();
  };
  const open = async (item: CacheItem) => setAsked({ kind: "edit", item: await whole(place, name, type, item) });
  return (
    <div className="grid gap-2">
      <div className="flex justify-end">
        <Button size="sm" icon={Plus} needs="developer" onClick={() => setAsked({ kind: "add" })}>{t.add[type]}</Button>
      </div>
      <div className="overflow-hidden rounded-md border">
        <Table<CacheItem>
          label={t.items}
          rows={items}
          more={more}
          maxHeight="45vh"
          rowKey={(item) => `${item.index ?? ""} ${item.id ?? ""} ${item.name ? idOf(item.name) : ""}`}
          columns={[
            ...columnsOf(type, t),
            {
              id: "do",
              header: t.change,
              hideHeader: true,
              align: "right",
              width: "5.5rem",
              cell: (item) => (
                <span className="inline-flex">
                  {canEdit(type) && (
                    <Button
                      size="sm"
                      look="quiet"
                      icon={Pencil}
                      needs="developer"
                      aria-label={`${t.edit}: ${titleOf(type, item)}`}
                      onClick={() => void open(item)}
                    />
                  )}
                  <Button
                    size="sm"
                    look="quiet"
                    icon={Trash2}
                    needs="developer"
                    aria-label={`${t.remove}: ${titleOf(type, item)}`}
                    onClick={() => setAsked({ kind: "remove", item })}
                  />
                </span>
              ),
            },
          ]}
        />
      </div>
      {(asked?.kind === "add" || asked?.kind === "edit") && (
        <ItemDialog
          type={type}
          item={asked.kind === "edit" ? asked.item : undefined}
          onClose={() => setAsked(null)}
          onSubmit={(draft) => send(asked.kind === "edit" ? edit(type, asked.item, draft) : addition(type, draft))}
        />
      )}
      {asked?.kind === "remove" && (
        <Confirm
          open
          danger
          onClose={() => setAsked(null)}
          title={t.removeItem}
          what={<span className="font-mono break-all">{titleOf(type, asked.item).slice(0, 500)}</span>}
          action={t.remove}
          onConfirm={() => send(removal(type, asked.item))}
        />
      )}
    </div>
  );
}

function ItemDialog({ type, item, onSubmit, onClose }: {
  type: Collection;
  item: CacheItem | undefined;
  onSubmit: (draft: Draft) => Promise<unknown>;
  onClose: () => void;
}) {
  const t = useMessages(messages);
  const [draft, set] = useDraft<Draft>(draftOf(item));
  return (
    <FormDialog
      open
      onClose={onClose}
      title={item ? t.editItem : t.add[type]}
      submit={t.save}
      disabled={!isWhole(type, draft) || item?.cut === true}
      onSubmit={() => onSubmit(draft)}
    >
      {item?.cut && <p className="text-sm text-muted">{t.itemTooLong}</p>}
      <ItemFields type={type} draft={draft} onChange={set} editing={item !== undefined} />
    </FormDialog>
  );
}

/** An item of which a page has shown the beginning only, as a whole. */
async function whole(place: Place, name: Data, type: Collection, item: CacheItem): Promise<CacheItem> {
  if (!item.cut) return item;
  const one = type === "hash" ? named("field", item.name ?? "") : { limit: 1, cursor: String(item.index) };
  const query = { space: place.space, ...named("key", name), ...one };
  const { items } = await api(VALUE, { path: { project: place.project }, query });
  return items[0] ?? item;
}

type Heads = Record<"field" | "value" | "index" | "item" | "member" | "score" | "id" | "entry", string>;

function columnsOf(type: Collection, t: Heads): Column<CacheItem>[] {
  const text = (data: Data | null | undefined, cut: boolean | undefined) => (
    <Text data={data ?? ""} cut={cut === true} />
  );
  switch (type) {
    case "hash":
      return [
        { id: "field", header: t.field, width: "35%", sort: by, cell: (item) => text(item.name, false) },
        { id: "value", header: t.value, cell: (item) => text(item.value, item.cut) },
      ];
    case "list":
      return [
        { id: "index", header: t.index, width: "5rem", cell: (item) => <span className="tabular">{item.index}</span> },
        { id: "item", header: t.item, cell: (item) => text(item.value, item.cut) },
      ];
    case "set":
      return [{ id: "member", header: t.member, sort: by, cell: (item) => text(item.name, item.cut) }];
    case "zset":
      return [
        { id: "score", header: t.score, width: "9rem", cell: (item) => <span className="tabular">{item.score}</span> },
        { id: "member", header: t.member, cell: (item) => text(item.name, item.cut) },
      ];
    case "stream":
      return [
        {
          id: "id",
          header: t.id,
          width: "12rem",
          cell: (item) => <span className="font-mono text-xs">{item.id}</span>,
        },
        {
          id: "entry",
          header: t.entry,
          cell: (item) => (
            <dl className="grid gap-1">
              {(item.entry as [Data, Data][] ?? []).map(([name, value], index) => (
                <div key={index} className="flex gap-2 text-xs">
                  <dt className="shrink-0 font-mono text-muted">{words(name).slice(0, 100)}</dt>
                  <dd className="min-w-0">{text(value, item.cut)}</dd>
                </div>
              ))}
            </dl>
          ),
        },
      ];
  }
}

function by(item: CacheItem): string {
  return words(item.name ?? "");
}

const SHOWN = 400;

function Text({ data, cut }: { data: Data; cut: boolean }) {
  const t = useMessages(messages);
  const text = words(data);
  return (
    <span className="font-mono text-xs break-all whitespace-pre-wrap">
      {text.slice(0, SHOWN)}
      {(cut || text.length > SHOWN) && <span className="text-muted">…</span>}
      {text === "" && <span className="text-muted">{t.emptyText}</span>}{" "}
      {typeof data !== "string" && <Badge>{t.binary}</Badge>}
    </span>
  );
}
