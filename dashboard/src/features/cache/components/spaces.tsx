// Where keys are: the cache itself and each KV namespace; and what all of them take.
import { Database, KeyRound } from "lucide-react";
import { Link } from "react-router";
import type { CacheSpaces } from "@/api/generated/api";
import { ErrorNote } from "@/components/error-note";
import { Progress } from "@/components/progress";
import { Skeleton } from "@/components/values";
import { messages } from "@/features/cache/messages";
import { classes } from "@/lib/classes";
import { formatBytes, formatNumber } from "@/lib/i18n/format";
import { useMessages } from "@/lib/i18n/language";

export function Spaces({ spaces, error, chosen }: {
  spaces: CacheSpaces | undefined;
  error: unknown;
  chosen: string;
}) {
  const t = useMessages(messages);
  if (error && spaces === undefined) return <ErrorNote error={error} />;
  if (spaces === undefined) return <Skeleton className="h-32" />;
  const known = spaces.items.some(({ space }) => space === chosen);
  const shown = known ? spaces.items : [...spaces.items, { space: chosen, keys: null, bytes: null }];
  return (
    <aside className="grid min-w-0 grid-cols-[minmax(0,1fr)] content-start gap-4">
      <nav aria-label={t.spaces}>
        <ul className="flex gap-1 overflow-x-auto p-0.5 lg:grid">
          {shown.map(({ space, keys, bytes }) => {
            const Icon = space === "cache" ? Database : KeyRound;
            const figures = keys === null || bytes === null ? "…" : `${t.keyCount(keys)} · ${formatBytes(bytes)}`;
            return (
              <li key={space} className="max-lg:shrink-0">
                <Link
                  to={`?${new URLSearchParams(space === "cache" ? {} : { space })}`}
                  aria-current={space === chosen ? "page" : undefined}
                  className={classes(
                    "flex items-start gap-2 rounded-md px-2.5 py-1.5 text-sm",
                    space === chosen ? "bg-accent-soft text-accent" : "hover:bg-hover",
                  )}
                >
                  <Icon aria-hidden className="mt-0.5 size-4 shrink-0" />
                  <span className="min-w-0">
                    <span className="block font-medium break-all">
                      {space === "cache" ? t.ownSpace : space.slice(3)}
                    </span>
                    <span className={classes("block text-xs whitespace-nowrap", space !== chosen && "text-muted")}>
                      {space === "cache" ? figures : `KV · ${figures}`}
                    </span>
                  </span>
                </Link>
              </li>
            );
          })}
        </ul>
      </nav>
      <Figures spaces={spaces} />
    </aside>
  );
}

function Figures({ spaces }: { spaces: CacheSpaces }) {
  const t = useMessages(messages);
  const { bytes, quota_bytes: quota, server } = spaces;
  if (!spaces.measurable) return <p className="px-2.5 text-xs text-muted">{t.notMeasurable}</p>;
  const share = bytes !== null && quota ? bytes / quota : null;
  const asked = server && server.hits !== null && server.misses !== null ? server.hits + server.misses : 0;
  return (
    <div className="grid gap-3 border-t px-2.5 pt-3 text-xs max-lg:grid-cols-2">
      <div className="grid content-start gap-1">
        <span className="text-muted">{t.projectUses}</span>
        <span>
          {bytes === null ? "…" : quota === null ? formatBytes(bytes) : t.of(formatBytes(bytes), formatBytes(quota))}
        </span>
        {share !== null && (
          <Progress value={share} label={t.projectUses} tone={share > 0.95 ? "bad" : share > 0.8 ? "warn" : "accent"} />
        )}
      </div>
      {server && (
        <div className="grid content-start gap-1">
          <span className="text-muted">{t.server}</span>
          {asked > 0 && server.hits !== null && (
            <span>{t.hitRate(formatNumber(server.hits / asked, { style: "percent", maximumFractionDigits: 1 }))}</span>
          )}
          {server.memory_bytes !== null && (
            <span>
              {server.memory_limit_bytes === null
                ? formatBytes(server.memory_bytes)
                : t.of(formatBytes(server.memory_bytes), formatBytes(server.memory_limit_bytes))}
            </span>
          )}
          {server.evicted !== null && server.evicted > 0 && <span>{t.evicted(formatNumber(server.evicted))}</span>}
        </div>
      )}
    </div>
  );
}
