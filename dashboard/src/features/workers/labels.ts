// What the shell says of this area. The other words come with its pages.
import { catalogue } from "@/lib/i18n/language";

export const labels = catalogue({
  en: {
    title: "Workers",
    commandNew: "New worker",
    commandGroup: "Workers",
    commandRun: (name: string) => `Run ${name}`,
    commandLogs: (name: string) => `Follow the log of ${name}`,
    commandMetrics: (name: string) => `Metrics of ${name}`,
    commandRollBack: (name: string) => `Roll back ${name}`,
  },
  id: {
    title: "Worker",
    commandNew: "Worker baru",
    commandGroup: "Worker",
    commandRun: (name) => `Jalankan ${name}`,
    commandLogs: (name) => `Ikuti log ${name}`,
    commandMetrics: (name) => `Metrik ${name}`,
    commandRollBack: (name) => `Kembalikan ${name}`,
  },
});
