// Keys and folders below a prefix.
import { Folder, KeyRound } from "lucide-react";
import { Link } from "react-router";
import { Badge } from "@/components/badge";
import { Table } from "@/components/table";
import { Bytes } from "@/components/values";
import { Countdown } from "@/features/cache/components/ttl";
import { type Data, words } from "@/features/cache/lib/data";
import type { Line, useKeys } from "@/features/cache/lib/reading";
import { messages } from "@/features/cache/messages";
import { formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";
import type { ReactNode } from "react";

export function KeyTable({ list, prefix, folderLink, onOpen, empty }: {
  list: ReturnType<typeof useKeys>;
  /** The folder at hand: names are shown without it. */
  prefix: string;
  folderLink: (prefix: string) => string;
  onOpen: (key: Data) => void;
  empty: ReactNode;
}) {
  const t = useMessages(messages);
  return (
    <Table<Line>
      label={t.keysTab}
      rows={list.lines}
      error={list.error}
      onRetry={() => void list.refetch()}
      more={{ ...list, isFetchingNextPage: list.looking }}
      rowKey={(line) => line.id}
      sortedBy="name"
      columns={[
        {
          id: "name",
          header: t.key,
          // Folders stand before keys.
          sort: (line) => "folder" in line ? `0${line.folder}` : `1${words(line.key.key)}`,
          cell: (line) => <Name line={line} prefix={prefix} folderLink={folderLink} onOpen={onOpen} />,
        },
        {
          id: "type",
          header: t.type,
          width: "7rem",
          from: "sm",
          sort: (line) => "key" in line ? line.key.type : "",
          cell: (line) => "key" in line && <Badge>{t.types[line.key.type] ?? line.key.type}</Badge>,
        },
        {
          id: "ttl",
          header: t.expiresIn,
          width: "8rem",
          sort: (line) => "key" in line ? line.key.ttl_seconds : null,
          cell: (line) => "key" in line && <Countdown seconds={line.key.ttl_seconds} at={line.key.at} />,
        },
        {
          id: "length",
          header: t.length,
          align: "right",
          from: "md",
          width: "8rem",
          sort: (line) => "key" in line ? line.key.length : line.keys,
          cell: (line) => "key" in line ? <Length of={line.key} /> : t.keyCount(line.keys),
        },
        {
          id: "memory",
          header: t.memory,
          align: "right",
          from: "sm",
          width: "7rem",
          sort: (line) => "key" in line ? line.key.bytes : null,
          cell: (line) => "key" in line && <Bytes value={line.key.bytes} />,
        },
      ]}
      empty={empty}
    />
  );
}

function Name({ line, prefix, folderLink, onOpen }: {
  line: Line;
  prefix: string;
  folderLink: (prefix: string) => string;
  onOpen: (key: Data) => void;
}) {
  const t = useMessages(messages);
  if ("folder" in line) {
    return (
      <span className="flex items-start gap-2">
        <Folder aria-hidden className="mt-0.5 size-4 shrink-0 text-muted" />
        <Link
          to={folderLink(line.folder)}
          className="rounded-sm font-mono text-xs font-medium break-all hover:underline"
        >
          {line.folder.slice(prefix.length)}
        </Link>
      </span>
    );
  }
  const { key, too_long: tooLong } = line.key;
  const text = words(key);
  const shown = (typeof key === "string" && text.startsWith(prefix) ? text.slice(prefix.length) : text) || text;
  return (
    <span className="flex items-start gap-2">
      <KeyRound aria-hidden className="mt-0.5 size-4 shrink-0 text-muted" />
      {tooLong
        ? <span className="font-mono text-xs break-all text-muted" title={t.tooLong}>{shown.slice(0, 200)}…</span>
        : (
          <button
            type="button"
            className="rounded-sm text-left font-mono text-xs font-medium break-all hover:underline"
            onClick={() => onOpen(key)}
          >
            {shown}
          </button>
        )}
      {typeof key !== "string" && <Badge>{t.binary}</Badge>}
    </span>
  );
}

function Length({ of: { type, length } }: { of: { type: string; length: number | null } }) {
  const t = useMessages(messages);
  if (length === null) return <>–</>;
  return type === "string" || type === "kv"
    ? <Bytes value={length} />
    : <>{t.itemCount(length, formatNumber(length))}</>;
}
