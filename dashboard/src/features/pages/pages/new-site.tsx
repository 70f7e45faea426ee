import { useState } from "react";
import { useNavigate } from "react-router";
import { Field, Input } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { toast } from "@/components/toast";
import { DeployForm } from "@/features/pages/components/deploy-form";
import { siteName } from "@/features/pages/lib/chosen";
import { messages } from "@/features/pages/messages";
import { api, ApiError } from "@/lib/api/client";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;

/** A site made of what is dropped. */
export default function NewSitePage() {
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [fault, setFault] = useState("");

  const free = async () => {
    const refuse = (text: string): never => {
      setFault(text);
      throw new ApiError(0, "shown", text);
    };
    if (!NAME.test(name) || name.length > 40) refuse(t.badName);
    try {
      await api("GET /api/v1/projects/{project}/sites/{site}", { path: { project, site: name } });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return;
      throw error;
    }
    refuse(t.taken);
  };

  return (
    <Page title={t.make} description={t.makeHint} crumbs={[{ label: t.title, to: to("sites") }]}>
      <Card>
        <div className="grid gap-4">
          <Field label={t.name} hint={t.nameHint} error={fault}>
            <Input
              value={name}
              maxLength={60}
              autoComplete="off"
              spellCheck={false}
              className="font-mono"
              onChange={(event) => {
                setName(event.target.value);
                setFault("");
              }}
            />
          </Field>
          <DeployForm
            site={name}
            onChoose={(chosen) => {
              if (name === "") setName(siteName(chosen.name));
            }}
            before={free}
            onDone={(release) => {
              toast.done(t.deployed(release.number));
              void navigate(to("sites", name));
            }}
          />
        </div>
      </Card>
    </Page>
  );
}
