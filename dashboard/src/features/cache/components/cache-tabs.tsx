import { TabLinks } from "@/components/tabs";
import { messages } from "@/features/cache/messages";
import { useMessages } from "@/lib/i18n/language";
import { useProjectPath } from "@/lib/project";

export function CacheTabs() {
  const t = useMessages(messages);
  const to = useProjectPath();
  return (
    <TabLinks
      label={t.title}
      tabs={[{ to: to("cache"), label: t.keysTab, end: true }, { to: to("cache", "responses"), label: t.responsesTab }]}
    />
  );
}
