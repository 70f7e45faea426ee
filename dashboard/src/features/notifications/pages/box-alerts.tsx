// The same page for the box: its health, its quotas, and rules over several projects.
import { ButtonLink } from "@/components/button";
import { Page } from "@/components/layout";
import { Alerts } from "@/features/notifications/components/alerts";
import { Channels } from "@/features/notifications/components/channels";
import { Deliveries } from "@/features/notifications/components/deliveries";
import { Rules } from "@/features/notifications/components/rules";
import { OfBox } from "@/features/notifications/lib/owner";
import { labels } from "@/features/notifications/labels";
import { messages } from "@/features/notifications/messages";
import { useMessages } from "@/lib/i18n/language";
import { useProjectName, useProjectPath } from "@/lib/project";

export default function BoxAlertsPage() {
  const { boxTitle } = useMessages(labels);
  const t = useMessages(messages);
  const project = useProjectName();
  const to = useProjectPath();
  return (
    <Page
      title={boxTitle}
      description={t.boxDescription}
      wide
      actions={<ButtonLink to={to("alerts")}>{t.toProject(project)}</ButtonLink>}
    >
      <OfBox value>
        <Alerts />
        <Rules />
        <Channels />
        <Deliveries />
      </OfBox>
    </Page>
  );
}
