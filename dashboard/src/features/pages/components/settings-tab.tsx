import { useQueryClient } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { type FormEvent, type ReactNode, useState } from "react";
import { useNavigate } from "react-router";
import type { MountSetting, SettingsInfo, SiteInfo } from "@/api/generated/api";
import { Button } from "@/components/button";
import { ConfirmByName } from "@/components/dialog";
import { ErrorNote } from "@/components/error-note";
import { Checkbox, Field, Input, Select, Textarea } from "@/components/field";
import { Card, DangerZone } from "@/components/layout";
import { toast } from "@/components/toast";
import { Skeleton } from "@/components/values";
import { SITES } from "@/features/pages/lib/queries";
import { changes, CHOICES, type Draft, draftOf, FLAGS, mountsOf, OPTIMISED } from "@/features/pages/lib/settings";
import { messages } from "@/features/pages/messages";
import { api } from "@/lib/api/client";
import { invalidate, useApi } from "@/lib/api/queries";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

/** What is set for a site beside its files, and its end. */
export default function SettingsTab({ site }: { site: SiteInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [deleting, setDeleting] = useState(false);
  const path = { project, site: site.name };
  const settings = useApi("GET /api/v1/projects/{project}/sites/{site}/settings", { path }, {
    refetchOnWindowFocus: false,
  });
  return (
    <>
      {settings.error && settings.data === undefined
        ? <ErrorNote error={settings.error} onRetry={() => void settings.refetch()} />
        : settings.data === undefined
        ? <Skeleton className="h-96" />
        : <Form key={JSON.stringify(settings.data)} site={site.name} info={settings.data} />}
      <DangerZone
        title={t.deleteSite}
        actions={
          <Button
            look="danger"
            needs="admin"
            disabled={site.from_folder}
            onClick={() => setDeleting(true)}
          >
            {t.deleteSite}
          </Button>
        }
      >
        {site.from_folder ? t.deleteFolderSite : t.deleteSiteWhat}
      </DangerZone>
      <ConfirmByName
        open={deleting}
        onClose={() => setDeleting(false)}
        title={t.deleteSite}
        name={site.name}
        what={t.deleteSiteWhat}
        action={t.deleteSite}
        onConfirm={async () => {
          await api("DELETE /api/v1/projects/{project}/sites/{site}", { path });
          toast.done(t.deletedSite(site.name));
          await navigate(to("sites"));
          await invalidate(client, SITES);
        }}
      />
    </>
  );
}

function Form({ site, info }: { site: string; info: SettingsInfo }) {
  const t = useMessages(messages);
  const project = useProjectName();
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft>(() => draftOf(info.set));
  const [hosts, setHosts] = useState(() => (draft.proxy_hosts ?? []).join("\n"));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const changed = changes(info.set, draft);
  const set = (change: Draft) => setDraft({ ...draft, ...change });
  const own = (name: string): ReactNode => info.own.includes(name) ? t.ownFile : undefined;
  const counts = (name: string): string => {
    const value = info.live?.[name];
    if (value === undefined || value === null) return t.unset;
    return t.unsetNow(typeof value === "boolean" ? (value ? t.on : t.off) : String(value));
  };
  const save = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await api("PATCH /api/v1/projects/{project}/sites/{site}/settings", { path: { project, site }, body: changed });
      toast.done(info.release === null ? t.settingsSaved : t.settingsLive);
      await invalidate(client, SITES);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Card title={t.tabs.settings} description={t.settingsHint}>
      <form className="grid gap-5" onSubmit={(event) => void save(event)}>
        <div className="grid gap-4 sm:grid-cols-2">
          {(Object.keys(CHOICES) as (keyof typeof CHOICES)[]).map((name) => (
            <Field key={name} label={t.settings[name]} hint={own(name) ?? t.settingHints[name]}>
              <Select
                value={draft[name] ?? "unset"}
                onChange={(value: string) =>
                  set({ [name]: value === "unset" ? undefined : value })}
                options={[
                  { value: "unset", label: counts(name) },
                  ...CHOICES[name].map((value) => ({ value, label: value })),
                ]}
              />
            </Field>
          ))}
          {FLAGS.map((name) => (
            <Field key={name} label={t.settings[name]} hint={own(name) ?? t.settingHints[name]}>
              <Select
                value={draft[name] === undefined ? "unset" : draft[name] ? "on" : "off"}
                onChange={(value: string) => set({ [name]: value === "unset" ? undefined : value === "on" })}
                options={[
                  { value: "unset", label: counts(name) },
                  { value: "on", label: t.on },
                  { value: "off", label: t.off },
                ]}
              />
            </Field>
          ))}
        </div>
        <fieldset className="grid gap-2">
          <legend className="mb-1 text-sm font-medium">{t.settings.optimise}</legend>
          <div className="flex flex-wrap gap-x-5 gap-y-2">
            {OPTIMISED.map((kind) => (
              <Checkbox
                key={kind}
                label={kind}
                checked={draft.optimise?.includes(kind) ?? false}
                onChange={(on) => {
                  const chosen = OPTIMISED.filter((each) => each === kind ? on : draft.optimise?.includes(each));
                  set({ optimise: chosen.length > 0 ? chosen : undefined });
                }}
              />
            ))}
          </div>
          <p className="text-xs text-muted">{own("optimise") ?? t.settingHints.optimise}</p>
        </fieldset>
        <Field label={t.settings.proxy_hosts} hint={own("proxy_hosts") ?? t.settingHints.proxy_hosts}>
          <Textarea
            rows={2}
            value={hosts}
            placeholder="api.example.com"
            onChange={(event) => {
              setHosts(event.target.value);
              const found = event.target.value.split(/[\s,]+/).filter((each) => each !== "");
              set({ proxy_hosts: found.length > 0 ? found : undefined });
            }}
          />
        </Field>
        <Mounts
          mounts={mountsOf(draft.mounts)}
          hint={own("mounts") ?? t.settingHints.mounts}
          onChange={(mounts) => set({ mounts: mounts.length > 0 ? mounts : undefined })}
        />
        {error !== null && <ErrorNote error={error} />}
        <div className="flex justify-end">
          <Button
            type="submit"
            look="primary"
            needs="developer"
            busy={busy}
            disabled={Object.keys(changed).length === 0}
          >
            {t.saveSettings}
          </Button>
        </div>
      </form>
    </Card>
  );
}

function Mounts({ mounts, hint, onChange }: {
  mounts: readonly MountSetting[];
  hint: ReactNode;
  onChange: (mounts: MountSetting[]) => void;
}) {
  const t = useMessages(messages);
  const project = useProjectName();
  const workers = useApi("GET /api/v1/projects/{project}/workers", { path: { project }, query: { limit: 200 } });
  const change = (index: number, part: Partial<MountSetting>) =>
    onChange(mounts.map((each, place) => place === index ? { ...each, ...part } : each));
  const names = workers.data?.items.map(({ name }) => name) ?? [];
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1 text-sm font-medium">{t.settings.mounts}</legend>
      {mounts.map((mount, index) => (
        <div key={index} className="flex flex-wrap items-center gap-2">
          <Input
            aria-label={`${t.path} ${index + 1}`}
            className="max-w-40 font-mono"
            value={mount.path}
            placeholder="/api/*"
            onChange={(event) => change(index, { path: event.target.value })}
          />
          <Select
            className="max-w-44"
            label={`${t.worker} ${index + 1}`}
            value={mount.worker || undefined}
            placeholder={t.worker}
            onChange={(worker) => change(index, { worker })}
            options={[...new Set([...names, ...(mount.worker ? [mount.worker] : [])])].map((name) => ({
              value: name,
              label: name,
            }))}
          />
          <Checkbox
            label={t.beforeFiles}
            checked={mount.first !== false}
            onChange={(first) => change(index, { first })}
          />
          <Button
            size="sm"
            look="quiet"
            icon={Trash2}
            aria-label={t.removeOf(mount.path)}
            onClick={() => onChange(mounts.filter((_, place) => place !== index))}
          />
        </div>
      ))}
      <div>
        <Button
          size="sm"
          icon={Plus}
          onClick={() => onChange([...mounts, { path: "/api/*", worker: "", first: true }])}
        >
          {t.addMount}
        </Button>
      </div>
      <p className="text-xs text-muted">{hint}</p>
    </fieldset>
  );
}
