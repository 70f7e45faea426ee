// What is in a bucket, folder by folder. Files are dropped anywhere on it.
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import {
  Ellipsis,
  File as FileIcon,
  Folder,
  FolderPlus,
  Link as LinkIcon,
  Trash2,
  Upload as UploadIcon,
} from "lucide-react";
import { type DragEvent, useRef, useState } from "react";
import { Link, useParams } from "react-router";
import type { ObjectEntry, ObjectPage } from "@/api/generated/api";
import { Button } from "@/components/button";
import { ConfirmByName, FormDialog } from "@/components/dialog";
import { EmptyState } from "@/components/empty-state";
import { Field, Input, SearchInput } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { Menu } from "@/components/menu";
import { OperationProgress } from "@/components/progress";
import { Table } from "@/components/table";
import { toast } from "@/components/toast";
import { Bytes, RelativeTime } from "@/components/values";
import { ObjectDialog } from "@/features/objects/components/object-dialog";
import { ShareDialog } from "@/features/objects/components/share-dialog";
import { Unfinished } from "@/features/objects/components/unfinished";
import { UploadList } from "@/features/objects/components/upload-list";
import { objectUrl } from "@/features/objects/lib/address";
import { droppedFiles, useUploads } from "@/features/objects/lib/uploads";
import { messages } from "@/features/objects/messages";
import { api, type ApiError } from "@/lib/api/client";
import { problemOf } from "@/lib/api/errors";
import { invalidate } from "@/lib/api/queries";
import { classes } from "@/lib/classes";
import { useDebounced } from "@/lib/debounce";
import { useFilters } from "@/lib/filters";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

type Line = { key: string; object?: ObjectEntry };

const MOST_KEYS = 1000;
const OF_BUCKETS = ["GET /admin/s3/buckets", "objects"];

export default function BucketPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const can = useCan();
  const client = useQueryClient();
  const { bucket = "" } = useParams();
  const [view, setView] = useFilters(["prefix", "key"]);
  const prefix = view.prefix ?? "";
  const [typed, setTyped] = useState({ prefix, text: "" });
  const sought = typed.prefix === prefix ? typed.text : ""; // else it was in another folder
  const settled = useDebounced(sought);
  const find = sought === "" ? "" : settled;
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState<"delete" | "folder" | "link" | null>(null);
  const [clearing, setClearing] = useState<string | null>(null);
  const close = () => setAsked(null);
  const [over, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  const reload = () => void invalidate(client, OF_BUCKETS);
  const uploads = useUploads(project, bucket, reload);
  const list = useInfiniteQuery<ObjectPage, ApiError, ObjectPage[], unknown[], string | undefined>({
    queryKey: ["objects", project, bucket, prefix, find],
    initialPageParam: undefined,
    queryFn: ({ pageParam, signal }) =>
      api("GET /admin/s3/buckets/{bucket}/objects", {
        path: { bucket },
        query: {
          project,
          prefix: prefix + find,
          delimiter: "/",
          limit: 500,
          ...(pageParam ? { cursor: pageParam } : {}),
        },
        signal,
      }),
    getNextPageParam: (page) => page.cursor ?? undefined,
    select: ({ pages }) => pages,
    placeholderData: (before) => before,
  });
  // Who follows a link to an object of a large folder has not come to its page yet.
  const named = useQuery<ObjectEntry | null, ApiError>({
    queryKey: ["objects", project, bucket, "named", view.key],
    enabled: view.key !== undefined,
    queryFn: async ({ signal }) => {
      const page = await api("GET /admin/s3/buckets/{bucket}/objects", {
        path: { bucket },
        query: { project, prefix: view.key ?? "", limit: 1 },
        signal,
      });
      return page.objects.find((object) => object.key === view.key) ?? null;
    },
  });
  const lines = list.data && [
    ...list.data.flatMap((page) => page.prefixes).map((key): Line => ({ key })),
    // An empty object that is called like the folder is only there so that the folder is.
    ...list.data.flatMap((page) => page.objects).filter((object) => object.key !== prefix)
      .map((object): Line => ({ key: object.key, object })),
  ];
  const shown = view.key === undefined
    ? undefined
    : lines?.find((line) => line.object && line.key === view.key)?.object ?? named.data ?? undefined;
  const marked = lines?.filter((line) => chosen.has(line.key)) ?? [];
  const folders = marked.filter((line) => line.object === undefined).map((line) => line.key);
  const folder = (to: string) => `?${new URLSearchParams({ prefix: to })}`;

  const removeChosen = async () => {
    const keys = marked.filter((line) => line.object !== undefined).map((line) => line.key);
    // The box takes so many names at a time.
    for (let at = 0; at < keys.length; at += MOST_KEYS) {
      await api("POST /admin/s3/buckets/{bucket}/objects/delete", {
        path: { bucket },
        query: { project },
        body: { keys: keys.slice(at, at + MOST_KEYS) },
      });
    }
    if (folders.length > 0) {
      // What may be many is an operation of the box: it shows how far it is, and can be stopped.
      const operation = await api("POST /admin/s3/buckets/{bucket}/objects/clear", {
        path: { bucket },
        query: { project },
        body: { keys: [], prefixes: folders.slice(0, MOST_KEYS) },
      });
      setClearing(operation.id);
    } else toast.done(t.deleted(keys.length));
    setChosen(new Set());
    await invalidate(client, OF_BUCKETS);
  };
  const makeFolder = async (name: string) => {
    const key = `${prefix}${name.replace(/^\/+|\/+$/g, "")}/`;
    const response = await fetch(objectUrl(project, bucket, key), {
      method: "PUT",
      headers: { "if-none-match": "*", "content-type": "application/x-directory" },
      body: "",
      credentials: "same-origin",
    });
    if (!response.ok && response.status !== 412) throw await problemOf(response);
    close();
    await invalidate(client, OF_BUCKETS);
    setView({ prefix: key });
  };
  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (can("developer")) uploads.add(prefix, await droppedFiles(event.dataTransfer));
  };

  return (
    <div
      className="min-w-0"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      }}
      onDrop={(event) => void drop(event)}
    >
      <Page
        title={bucket}
        crumbs={[{ label: t.title, to: to("objects") }]}
        actions={
          <>
            {marked.length > 0 && (
              <>
                <span className="text-sm text-muted">{t.chosen(marked.length)}</span>
                <Button icon={Trash2} needs="developer" onClick={() => setAsked("delete")}>{t.deleteChosen}</Button>
              </>
            )}
            <input
              ref={picker}
              type="file"
              multiple
              aria-label={t.upload}
              className="hidden"
              onChange={(event) => {
                uploads.add(prefix, [...event.target.files ?? []].map((file) => ({ path: file.name, file })));
                event.target.value = "";
              }}
            />
            <Button look="primary" icon={UploadIcon} needs="developer" onClick={() => picker.current?.click()}>
              {t.upload}
            </Button>
            <Menu
              items={[[
                {
                  label: t.newFolder,
                  icon: FolderPlus,
                  disabled: !can("developer"),
                  onSelect: () => setAsked("folder"),
                },
                { label: t.uploadLink, icon: LinkIcon, disabled: !can("developer"), onSelect: () => setAsked("link") },
              ]]}
            >
              <Button icon={Ellipsis} aria-label={`${bucket}: ${t.moreActions}`} />
            </Menu>
          </>
        }
      >
        <div className="flex flex-wrap items-center justify-between gap-3">
          <Folders bucket={bucket} prefix={prefix} />
          <SearchInput
            label={t.findHere}
            className="w-56 max-sm:w-full"
            value={sought}
            onChange={(event) => setTyped({ prefix, text: event.target.value })}
          />
        </div>
        {clearing !== null && (
          <Card>
            <OperationProgress key={clearing} id={clearing} label={t.deleting} invalidates={OF_BUCKETS} />
          </Card>
        )}
        <UploadList {...uploads} />
        <Unfinished
          {...{ project, bucket, prefix }}
          underway={new Set(uploads.uploads.map((each) => each.key))}
          onGoOn={(key, file) => uploads.add("", [{ path: key, file }])}
        />
        <Card flush className={classes(over && "outline-2 outline-accent outline-dashed")}>
          {over && <p className="border-b px-4 py-2 text-sm font-medium text-accent">{t.dropHere}</p>}
          <Table<Line>
            label={t.objects}
            rows={lines}
            error={list.error}
            onRetry={() => void list.refetch()}
            more={list}
            rowKey={(line) => line.key}
            selected={can("developer") ? chosen : undefined}
            onSelect={can("developer") ? setChosen : undefined}
            columns={[
              {
                id: "name",
                header: t.name,
                cell: (line) => {
                  const name = line.key.slice(prefix.length);
                  const Icon = line.object ? FileIcon : Folder;
                  return (
                    <span className="flex items-center gap-2">
                      <Icon aria-hidden className="size-4 shrink-0 text-muted" />
                      {line.object
                        ? (
                          <button
                            type="button"
                            className="rounded-sm text-left font-medium break-all hover:underline"
                            onClick={() => setView({ key: line.key })}
                          >
                            {name}
                          </button>
                        )
                        : (
                          <Link to={folder(line.key)} className="rounded-sm font-medium break-all hover:underline">
                            {name}
                          </Link>
                        )}
                    </span>
                  );
                },
              },
              {
                id: "type",
                header: t.type,
                from: "md",
                cell: (line) => <span className="text-muted">{line.object && typeOf(line.object)}</span>,
              },
              {
                id: "size",
                header: t.size,
                align: "right",
                sort: (line) => line.object?.sizeBytes ?? null,
                cell: (line) => line.object ? <Bytes value={line.object.sizeBytes} /> : "",
              },
              {
                id: "at",
                header: t.uploaded,
                align: "right",
                from: "sm",
                sort: (line) => line.object?.uploaded ?? null,
                cell: (line) => line.object ? <RelativeTime time={line.object.uploaded} /> : "",
              },
            ]}
            empty={find !== "" ? <EmptyState title={t.noneBegins(find)} /> : (
              <EmptyState
                icon={UploadIcon}
                title={t.empty}
                command={`v8box s3 cp photo.jpg s3://${bucket}/${prefix}`}
              >
                {t.emptyHint}
              </EmptyState>
            )}
          />
        </Card>
      </Page>
      {shown && <ObjectDialog project={project} bucket={bucket} object={shown} onClose={() => setView({ key: "" })} />}
      {asked === "link" && <ShareDialog {...{ project, bucket, prefix }} onClose={close} />}
      {asked === "folder" && <NewFolder onMake={makeFolder} onClose={close} />}
      <ConfirmByName
        open={asked === "delete"}
        onClose={close}
        title={t.deleteTitle(marked.length)}
        name={bucket}
        what={
          <>
            <p>{folders.length > 0 ? t.deleteFoldersWhat : t.deleteWhat}</p>
            <ul className="mt-2 max-h-40 overflow-auto font-mono text-xs break-all">
              {marked.slice(0, 50).map((line) => <li key={line.key}>{line.key}</li>)}
            </ul>
            {marked.length > 50 && <p className="text-xs">{t.andMore(marked.length - 50)}</p>}
          </>
        }
        action={t.deleteChosen}
        onConfirm={removeChosen}
      />
    </div>
  );
}

function NewFolder({ onMake, onClose }: { onMake: (name: string) => Promise<void>; onClose: () => void }) {
  const t = useMessages(messages);
  const [name, setName] = useState("");
  const parts = name.split("/");
  const bad = name.trim() === "" || parts.some((part) => part === "." || part === "..");
  return (
    <FormDialog
      open
      width="sm"
      onClose={onClose}
      title={t.newFolder}
      submit={t.create}
      disabled={bad}
      onSubmit={() => onMake(name)}
    >
      <Field label={t.name} hint={t.folderHint}>
        <Input value={name} onChange={(event) => setName(event.target.value)} maxLength={250} required autoFocus />
      </Field>
    </FormDialog>
  );
}

function typeOf(object: ObjectEntry): string {
  return Object.entries(object.http).find(([name]) => /^content-?type$/i.test(name))?.[1] ?? "";
}

function Folders({ bucket, prefix }: { bucket: string; prefix: string }) {
  const t = useMessages(messages);
  const parts = prefix.split("/").slice(0, -1);
  return (
    <nav aria-label={t.folders} className="flex flex-wrap items-center gap-1 font-mono text-sm">
      <Link to="?" className="rounded-sm hover:underline">{bucket}</Link>
      {parts.map((part, index) => (
        <span key={index} className="flex items-center gap-1 break-all">
          <span aria-hidden className="text-muted">/</span>
          <Link
            to={`?${new URLSearchParams({ prefix: `${parts.slice(0, index + 1).join("/")}/` })}`}
            className="rounded-sm hover:underline"
          >
            {part}
          </Link>
        </span>
      ))}
    </nav>
  );
}
