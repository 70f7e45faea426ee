import { labels } from "@/features/metrics/labels";
import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    ...labels.en,
    description: "Traffic, errors and speed. Click a moment to see its runs; orange lines are deploys.",
    worker: "Worker",
    allWorkers: "All workers",
    requests: "Requests",
    errorRate: "Error rate",
    cpu: "Processor time",
    memory: "Memory of the largest sandbox",
    top: "Workers",
    by: "Ordered by",
    orders: {
      requests: "requests",
      errors: "errors",
      error_rate: "error rate",
      p95_ms: "p95",
      cpu_ms: "processor",
      memory_bytes: "memory",
    },
    custom: "Your own metrics",
    noCustom: 'A worker counts with ctx.metrics.counter("orders").add(1), and its chart is here.',
    none: "No traffic in this time",
  },
  id: {
    ...labels.id,
    description:
      "Lalu lintas, kesalahan dan kecepatan. Klik satu saat untuk melihat eksekusinya; garis jingga adalah deploy.",
    worker: "Worker",
    allWorkers: "Semua worker",
    requests: "Permintaan",
    errorRate: "Tingkat kesalahan",
    cpu: "Waktu prosesor",
    memory: "Memori sandbox terbesar",
    top: "Worker",
    by: "Urut menurut",
    orders: {
      requests: "permintaan",
      errors: "kesalahan",
      error_rate: "tingkat kesalahan",
      p95_ms: "p95",
      cpu_ms: "prosesor",
      memory_bytes: "memori",
    },
    custom: "Metrik Anda sendiri",
    noCustom: 'Worker menghitung dengan ctx.metrics.counter("orders").add(1), dan grafiknya tampil di sini.',
    none: "Tidak ada lalu lintas dalam waktu ini",
  },
});
