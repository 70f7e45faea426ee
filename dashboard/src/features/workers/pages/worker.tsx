import { lazy, Suspense, useEffect, useState } from "react";
import { ExternalLink, Tag } from "lucide-react";
import { Link, Navigate, Route, Routes, useParams } from "react-router";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { CopyButton } from "@/components/code-block";
import { ErrorNote } from "@/components/error-note";
import { Page } from "@/components/layout";
import { TabLinks } from "@/components/tabs";
import { Skeleton } from "@/components/values";
import { safeUrl } from "@/features/workers/lib/urls";
import { messages } from "@/features/workers/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";
import { useCan } from "@/lib/session/session";

const loadCode = () => import("@/features/workers/components/code-tab");
const loadEditor = () => import("@/components/monaco/editor");
const CodeTab = lazy(loadCode);
const VersionsTab = lazy(() => import("@/features/workers/components/versions-tab"));
const DeploymentsTab = lazy(() => import("@/features/workers/components/deployments-tab"));
const LogsTab = lazy(() => import("@/features/workers/components/logs-tab"));
const MetricsTab = lazy(() => import("@/features/workers/components/metrics-tab"));
const TagsOfOne = lazy(async () => ({ default: (await import("@/features/workers/components/tag-dialog")).TagsOfOne }));
const SettingsTab = lazy(() => import("@/features/workers/components/settings-tab"));

export default function WorkerPage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const { worker: name = "", "*": rest } = useParams();
  const worker = useApi("GET /api/v1/projects/{project}/workers/{worker}", { path: { project, worker: name } }, {
    refetchInterval: 10_000,
  });
  const info = worker.data;
  const can = useCan();
  const [tagging, setTagging] = useState(false);
  useEffect(() => {
    if (rest !== "") return;
    void loadCode(); // while the worker is asked for
    void loadEditor();
  }, []);
  const here = (tab?: string) => tab === undefined ? to("workers", name) : to("workers", name, tab);
  return (
    <Page
      wide
      title={name}
      crumbs={[{ label: t.title, to: to("workers") }]}
      heading={
        <>
          {name}
          {info?.environments.map((each) => (
            <Badge key={each.environment} tone={each.environment === "production" ? "ok" : "neutral"} dot>
              {each.environment} {each.versions.map((share) =>
                each.versions.length > 1 ? `v${share.number} ${share.weight}%` : `v${share.number}`
              ).join(" · ")}
            </Badge>
          ))}
          {info && info.environments.length === 0 && <Badge>{t.notLive}</Badge>}
          {info?.error && <Badge tone="bad">{t.broken}</Badge>}
          {info?.tags.map((tag) => (
            <Link
              key={tag}
              to={`${to("workers")}?tag=${encodeURIComponent(tag)}`}
              className="max-w-40 truncate rounded-full border px-2 text-xs leading-5 font-normal text-muted hover:border-accent hover:text-accent"
            >
              {tag}
            </Link>
          ))}
          {info && info.newest !== null && can("developer") && (
            <Button
              size="sm"
              look="quiet"
              icon={Tag}
              aria-label={t.editTags}
              onClick={() => setTagging(true)}
            >
              {info.tags.length === 0 ? t.tagsOf : null}
            </Button>
          )}
        </>
      }
      actions={info && (
        <span className="flex min-w-0 items-center gap-1 text-sm">
          <a
            href={safeUrl(info.url)}
            target="_blank"
            rel="noreferrer"
            className="inline-flex min-w-0 items-center gap-1 truncate rounded-sm text-accent hover:underline"
          >
            <span className="truncate">{info.url}</span>
            <ExternalLink aria-hidden className="size-3.5 shrink-0" />
          </a>
          <CopyButton text={info.url} />
        </span>
      )}
    >
      <TabLinks
        label={t.tabs.label}
        tabs={[
          { to: here(), label: t.tabs.code, end: true },
          { to: here("logs"), label: t.tabs.logs },
          { to: here("metrics"), label: t.tabs.metrics },
          { to: here("versions"), label: t.tabs.versions },
          { to: here("deployments"), label: t.tabs.deployments },
          { to: here("settings"), label: t.tabs.settings },
        ]}
      />
      {worker.error && info === undefined
        ? <ErrorNote error={worker.error} onRetry={() => void worker.refetch()} />
        : info === undefined
        ? <Skeleton className="h-96" />
        : (
          <Suspense fallback={<Skeleton className="h-96" />}>
            <Routes>
              <Route index element={<CodeTab key={name} worker={info} />} />
              <Route path="logs" element={<LogsTab key={name} worker={info} />} />
              <Route path="metrics" element={<MetricsTab key={name} worker={info} />} />
              <Route path="versions" element={<VersionsTab worker={info} />} />
              <Route path="deployments" element={<DeploymentsTab worker={info} />} />
              <Route path="settings" element={<SettingsTab key={name} worker={info} />} />
              <Route path="*" element={<Navigate to={here()} replace />} />
            </Routes>
          </Suspense>
        )}
      {tagging && info && (
        <Suspense>
          <TagsOfOne worker={info} onClose={() => setTagging(false)} />
        </Suspense>
      )}
    </Page>
  );
}
