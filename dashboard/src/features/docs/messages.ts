import { labels } from "@/features/docs/labels";
import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    ...labels.en,
    description: "All of it is on this box, and needs no network.",
    find: "Find in headings",
    none: "No heading has this in it",
    noPage: "There is no such page",
    noPageHint: "It may have been renamed. The list has all pages.",
    pages: "All pages",
    groups: { use: "Use the box", run: "Run the box", change: "How it is made" },
    onThisPage: "On this page",
  },
  id: {
    ...labels.id,
    description: "Semuanya ada di box ini, tanpa perlu jaringan. Teksnya dalam bahasa Inggris.",
    find: "Cari dalam judul",
    none: "Tidak ada judul yang memuat ini",
    noPage: "Tidak ada halaman itu",
    noPageHint: "Mungkin namanya berubah. Daftar memuat semua halaman.",
    pages: "Semua halaman",
    groups: { use: "Memakai box", run: "Menjalankan box", change: "Cara kerjanya" },
    onThisPage: "Di halaman ini",
  },
});
