import { catalogue } from "@/lib/i18n/language";

export const labels = catalogue({
  en: { title: "Alerts", boxTitle: "Alerts of the box" },
  id: { title: "Peringatan", boxTitle: "Peringatan box" },
});
