import { catalogue } from "@/lib/i18n/language";

export const labels = catalogue({
  en: { title: "Alerts", boxTitle: "Box alerts" },
  id: { title: "Peringatan", boxTitle: "Peringatan box" },
});
