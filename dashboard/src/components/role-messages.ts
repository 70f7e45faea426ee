// What roles are called, and what they may do.
import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    words: { viewer: "Viewer", developer: "Developer", admin: "Admin", owner: "Owner" },
    hints: {
      viewer: "looks at everything but the values of secrets",
      developer: "deploys, changes data, sets variables",
      admin: "makes keys and tokens, manages members, deletes databases and buckets",
      owner: "everything, other owners included",
    },
  },
  id: {
    words: { viewer: "Pengamat", developer: "Pengembang", admin: "Admin", owner: "Pemilik" },
    hints: {
      viewer: "melihat semuanya kecuali nilai rahasia",
      developer: "melakukan deploy, mengubah data, mengatur variabel",
      admin: "membuat kunci dan token, mengelola anggota, menghapus database dan bucket",
      owner: "semuanya, termasuk pemilik lain",
    },
  },
});
