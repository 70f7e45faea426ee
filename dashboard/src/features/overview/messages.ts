import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    title: "Overview",
    well: "The box is well",
    notWell: "A service does not answer",
  },
  id: {
    title: "Ikhtisar",
    well: "Box sehat",
    notWell: "Ada layanan yang tidak menjawab",
  },
});
