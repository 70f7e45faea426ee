import { lazy, Suspense, useState } from "react";
import { Upload } from "lucide-react";
import { Navigate, Route, Routes, useNavigate, useParams } from "react-router";
import { Badge } from "@/components/badge";
import { Button } from "@/components/button";
import { Dialog } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Page } from "@/components/layout";
import { TabLinks } from "@/components/tabs";
import { toast } from "@/components/toast";
import { Skeleton } from "@/components/values";
import { DeployForm } from "@/features/pages/components/deploy-form";
import { SiteLink } from "@/features/pages/components/site-link";
import { messages } from "@/features/pages/messages";
import { useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const ReleasesTab = lazy(() => import("@/features/pages/components/releases-tab"));
const ReleasePart = lazy(() => import("@/features/pages/components/release-part"));
const PreviewsTab = lazy(() => import("@/features/pages/components/previews-tab"));
const RulesTab = lazy(() => import("@/features/pages/components/rules-tab"));
const DomainsTab = lazy(() => import("@/features/pages/components/domains-tab"));
const FunctionsTab = lazy(() => import("@/features/pages/components/functions-tab"));
const OptimisationTab = lazy(() => import("@/features/pages/components/optimisation-tab"));
const SettingsTab = lazy(() => import("@/features/pages/components/settings-tab"));

const TABS = ["previews", "rules", "domains", "functions", "optimisation", "settings"] as const;

export default function SitePage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const navigate = useNavigate();
  const { site: name = "" } = useParams();
  const [deploying, setDeploying] = useState(false);
  const site = useApi("GET /api/v1/projects/{project}/sites/{site}", { path: { project, site: name } }, {
    refetchInterval: 10_000,
  });
  const info = site.data;
  const here = (...rest: string[]) => to("sites", name, ...rest);
  return (
    <Page
      title={name}
      crumbs={[{ label: t.title, to: to("sites") }]}
      heading={
        <>
          {name}
          {info && (info.live_release === null
            ? <Badge>{t.notLive}</Badge>
            : <Badge tone="ok" dot>{t.liveRelease(info.live_release)}</Badge>)}
          {info?.from_folder && <Badge>{t.folder}</Badge>}
        </>
      }
      description={info && <SiteLink url={info.url} copy />}
      actions={info && (
        <Button look="primary" icon={Upload} needs="developer" onClick={() => setDeploying(true)}>
          {t.newRelease}
        </Button>
      )}
    >
      <TabLinks
        label={t.tabs.label}
        tabs={[
          { to: here(), label: t.tabs.releases, end: true },
          ...TABS.map((tab) => ({ to: here(tab), label: t.tabs[tab] })),
        ]}
      />
      {site.error && info === undefined
        ? <ErrorNote error={site.error} onRetry={() => void site.refetch()} />
        : info === undefined
        ? <Skeleton className="h-96" />
        : (
          <Suspense fallback={<Skeleton className="h-96" />}>
            <Routes>
              <Route index element={<ReleasesTab key={name} site={info} />} />
              <Route path="releases/:number" element={<ReleasePart key={name} site={info} />} />
              <Route path="previews" element={<PreviewsTab key={name} site={info} />} />
              <Route path="rules" element={<RulesTab key={name} site={info} />} />
              <Route path="domains" element={<DomainsTab key={name} site={info} />} />
              <Route path="functions" element={<FunctionsTab key={name} site={info} />} />
              <Route path="optimisation" element={<OptimisationTab key={name} site={info} />} />
              <Route path="settings" element={<SettingsTab key={name} site={info} />} />
              <Route path="*" element={<Navigate to={here()} replace />} />
            </Routes>
          </Suspense>
        )}
      <Dialog open={deploying} onClose={() => setDeploying(false)} title={t.newRelease} description={t.newReleaseHint}>
        {deploying && info && (
          <DeployForm
            site={name}
            draftOnly={info.from_folder}
            onDone={(release) => {
              setDeploying(false);
              toast.done(release.live ? t.deployed(release.number) : t.drafted(release.number));
              void navigate(here());
            }}
          />
        )}
      </Dialog>
    </Page>
  );
}
