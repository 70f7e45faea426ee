// What the shell says of this area. The other words come with its pages.
import { catalogue } from "@/lib/i18n/language";

export const labels = catalogue({
  en: { title: "Documentation" },
  id: { title: "Dokumentasi" },
});
