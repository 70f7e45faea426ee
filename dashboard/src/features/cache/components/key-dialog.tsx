// One key: what is known of it, what it holds, and what can be done to it.
import { Clock, Pencil, RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";
import { Badge } from "@/components/badge";
import { Button, useRefusal } from "@/components/button";
import { CopyButton } from "@/components/code-block";
import { Confirm, Dialog, FormDialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { toast } from "@/components/toast";
import { Bytes, Skeleton } from "@/components/values";
import { BytesField } from "@/features/cache/components/bytes-field";
import { Items } from "@/features/cache/components/items";
import { TextValue } from "@/features/cache/components/text-value";
import { Countdown, TtlDialog } from "@/features/cache/components/ttl";
import { isCollection } from "@/features/cache/lib/collections";
import { type Data, named, words } from "@/features/cache/lib/data";
import { LISTS, type Place, type SeenKey, useValue, VALUE, type ValuePage } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { useChange } from "@/lib/api/queries";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

type Asked = "ttl" | "rename" | "delete";

export function KeyDialog({ place, name, known, onClose, onRenamed }: {
  place: Place;
  name: Data;
  /** From the list, until the value is there; and all there is for those who may not see it. */
  known: SeenKey | undefined;
  onClose: () => void;
  onRenamed: (to: Data) => void;
}) {
  const t = useMessages(messages);
  const refusal = useRefusal("developer");
  const value = useValue(place, name, refusal === null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [readings, setReadings] = useState(0);
  const reload = () => value.refetch().then(() => setReadings((n) => n + 1));
  const first = value.data?.pages[0];
  const key = first ?? known;
  const title = words(name);
  return (
    <>
      <Dialog
        open
        width="xl"
        onClose={onClose}
        title={<span className="font-mono text-base break-all">{short(title)}</span>}
        footer={
          <>
            <Button icon={Trash2} needs="developer" onClick={() => setAsked("delete")}>{t.remove}</Button>
            {place.space === "cache" && (
              <Button icon={Pencil} needs="developer" onClick={() => setAsked("rename")}>{t.rename}</Button>
            )}
            <Button icon={Clock} needs="developer" disabled={!key} onClick={() => setAsked("ttl")}>
              {t.changeTtl}
            </Button>
            <Button
              icon={RotateCcw}
              disabled={refusal !== null}
              busy={value.isFetching}
              onClick={() => void reload()}
            >
              {t.reload}
            </Button>
          </>
        }
      >
        <div className="grid gap-4">
          <p className="flex items-start gap-1 pt-1 font-mono text-xs break-all text-muted">
            {title.slice(0, 1000)} <CopyButton text={title} className="-my-1" />
          </p>
          {key && <Facts value={key} />}
          {refusal !== null
            ? <p className="rounded-md border bg-sunken px-3 py-2 text-sm text-muted">{t.valuesHidden} {refusal}</p>
            : value.error
            ? <ErrorNote error={value.error} onRetry={() => void value.refetch()} />
            : first === undefined
            ? <Skeleton className="h-40" />
            : <Held key={readings} place={place} first={first} value={value} onReload={reload} onGone={onClose} />}
        </div>
      </Dialog>
      <Acts
        place={place}
        name={name}
        value={key}
        asked={asked}
        onAsk={setAsked}
        onClose={onClose}
        onRenamed={onRenamed}
      />
    </>
  );
}

function Facts({ value }: { value: SeenKey | ValuePage }) {
  const t = useMessages(messages);
  const length = value.length === null ? "–" : formatNumber(value.length);
  const isText = value.type === "string" || value.type === "kv";
  const facts = [
    [t.type, <Badge key="type" tone="accent">{t.types[value.type] ?? value.type}</Badge>],
    [t.expiresIn, <Countdown key="ttl" seconds={value.ttl_seconds} at={value.at} />],
    isText ? [t.length, <Bytes key="length" value={value.length} />] : [t.items, length],
    [t.memory, <Bytes key="bytes" value={value.bytes} />],
  ] as const;
  return (
    <dl className="grid grid-cols-2 gap-x-6 gap-y-2 rounded-md border bg-sunken px-3 py-2 text-sm sm:grid-cols-4">
      {facts.map(([name, fact], index) => (
        <div key={index}>
          <dt className="text-xs text-muted">{name}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What stands behind the last folder. */
function short(name: string): string {
  const at = Math.max(name.lastIndexOf(":", name.length - 2), name.lastIndexOf("/", name.length - 2));
  return name.slice(at + 1, at + 200) || name.slice(0, 200);
}

function Held({ place, first, value, onReload, onGone }: {
  place: Place;
  first: ValuePage;
  value: ReturnType<typeof useValue>;
  onReload: () => Promise<unknown>;
  onGone: () => void;
}) {
  const t = useMessages(messages);
  if (first.value !== null) return <TextValue place={place} value={first} onReload={onReload} />;
  if (!isCollection(first.type)) return <p className="text-sm text-muted">{t.unknownType}</p>;
  const items = value.data?.pages.flatMap((page) => page.items) ?? [];
  return <Items place={place} name={first.key} type={first.type} items={items} more={value} onGone={onGone} />;
}

const PATH = "/api/v1/projects/{project}/cache";

function Acts({ place, name, value, asked, onAsk, onClose, onRenamed }: {
  place: Place;
  name: Data;
  value: SeenKey | ValuePage | undefined;
  asked: Asked | null;
  onAsk: (asked: Asked | null) => void;
  onClose: () => void;
  onRenamed: (to: Data) => void;
}) {
  const t = useMessages(messages);
  const ttl = useChange(`PUT ${PATH}/ttl`, { invalidates: [VALUE, ...LISTS] });
  const rename = useChange(`POST ${PATH}/rename`, { invalidates: LISTS });
  const remove = useChange(`DELETE ${PATH}/keys`, { invalidates: LISTS });
  const [to, setTo] = useState<Data>(name);
  const path = { project: place.project };
  const query = { space: place.space, ...named("key", name) };
  const title = words(name);
  const left = value?.ttl_seconds ?? null;
  if (asked === "ttl") {
    return (
      <TtlDialog
        name={title}
        seconds={left === null || !value ? null : Math.max(1, left - (Date.now() - value.at) / 1000)}
        onClose={() => onAsk(null)}
        onSubmit={async (seconds) => {
          await ttl.mutateAsync({ path, query, body: { ttl_seconds: seconds } });
          toast.done(t.saved);
        }}
      />
    );
  }
  if (asked === "rename") {
    return (
      <FormDialog
        open
        onClose={() => onAsk(null)}
        title={t.rename}
        submit={t.rename}
        onSubmit={async () => {
          await rename.mutateAsync({ path, query, body: { to } });
          toast.done(t.renamed);
          onAsk(null);
          onRenamed(to);
        }}
      >
        <BytesField label={t.newName} value={to} onChange={setTo} autoFocus />
      </FormDialog>
    );
  }
  return (
    <Confirm
      open={asked === "delete"}
      danger
      onClose={() => onAsk(null)}
      title={t.removeKey}
      what={<span className="font-mono break-all">{title.slice(0, 500)}</span>}
      action={t.remove}
      onConfirm={async () => {
        await remove.mutateAsync({ path, query });
        toast.done(t.removed);
        onClose();
      }}
    />
  );
}
