// What the box's checks are called.
import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    names: {
      db: "Databases",
      cache: "Cache",
      s3: "Objects",
      vault: "Vault",
      workers: "Sandboxes",
      disk: "Disk",
      memory: "Memory",
      cpu: "CPU",
      clock: "Clock",
      backlog: "Backlog",
      backup: "Backup",
      "cache memory": "Cache memory",
      confinement: "Confinement",
      certificates: "Certificates",
    } as Record<string, string>,
  },
  id: {
    names: {
      db: "Database",
      cache: "Cache",
      s3: "Objek",
      vault: "Vault",
      workers: "Sandbox",
      disk: "Disk",
      memory: "Memori",
      cpu: "CPU",
      clock: "Jam",
      backlog: "Antrean",
      backup: "Cadangan",
      "cache memory": "Memori cache",
      confinement: "Pengurungan",
      certificates: "Sertifikat",
    },
  },
});
