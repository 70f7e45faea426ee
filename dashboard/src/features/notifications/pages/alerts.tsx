import { ButtonLink } from "@/components/button";
import { Page } from "@/components/layout";
import { Alerts } from "@/features/notifications/components/alerts";
import { Channels } from "@/features/notifications/components/channels";
import { Deliveries } from "@/features/notifications/components/deliveries";
import { Rules } from "@/features/notifications/components/rules";
import { labels } from "@/features/notifications/labels";
import { messages } from "@/features/notifications/messages";
import { useMessages } from "@/lib/i18n/language";
import { useCan } from "@/lib/session/session";

export default function AlertsPage() {
  const { title } = useMessages(labels);
  const t = useMessages(messages);
  const can = useCan();
  return (
    <Page
      title={title}
      description={t.description}
      wide
      actions={can("viewer", "*") && <ButtonLink to="/settings/alerts">{t.toBox}</ButtonLink>}
    >
      <Alerts />
      <Rules />
      <Channels />
      <Deliveries />
    </Page>
  );
}
