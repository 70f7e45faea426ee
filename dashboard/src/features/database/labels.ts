// What the shell says of this area. The other words come with its pages.
import { catalogue } from "@/lib/i18n/language";

export const labels = catalogue({
  en: {
    title: "Databases",
    commandGroup: "Databases",
    commandSql: (name: string) => `${name}: SQL`,
  },
  id: {
    title: "Database",
    commandGroup: "Database",
    commandSql: (name) => `${name}: SQL`,
  },
});
