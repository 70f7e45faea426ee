// Why something was stopped and what a report advises, in Bahasa Indonesia.
import type { KillInfo, KillReport, StopReason } from "@/api/generated/api";
import { type Phrases, said } from "@/components/phrases";
import { formatBytes, formatMilliseconds, formatNumber } from "@/lib/i18n/format";
import { language } from "@/lib/i18n/language";

const PHRASES: Phrases = {
  log_flood: () => "Ia mencetak tanpa henti: cari pencatatan log di dalam loop; baris terakhir menunjukkan isinya.",
  log_cut: () =>
    "Eksekusi yang sengaja banyak mencatat dipotong pada limits.log_kb dan berlanjut; baru dihentikan pada 16 kalinya.",
  response_cut: () => "Respons lebih panjang dari limits.response_mb, jadi koneksi diputus di tengahnya.",
  page_result: () =>
    "Bagi hasilnya per halaman, atau taruh berkas besar di bucket dan jawab dengan URL bertanda tangan.",
  called_out: () => "Ia memanggil keluar berulang-ulang: cari fetch di dalam loop, atau minta banyak sekaligus.",
  exited: () =>
    "Kode, atau paket yang diimpornya, memanggil Deno.exit() atau process.exit(). Itu mengakhiri semua eksekusi di proses: lempar kesalahan atau kembalikan respons.",
  tampered: () =>
    "Proses menulis sesuatu ke box yang tidak pernah ditulis runtime. Kode yang mengutak-atik runtime melakukannya; jika kode Anda tidak, ini kesalahan V8Box: mohon laporkan.",
  crashed: () =>
    "Proses berakhir sendiri. Keluaran terakhir menjelaskan lebih banyak bila mesin mencetak alasannya; add-on native dan WebAssembly biasanya sebabnya.",
  try_dev: () => "Jika terulang, jalankan permintaan yang sama dengan `v8box dev` dan perhatikan apa yang dicetaknya.",
  left_timer: () =>
    "Ia memakai prosesor saat tidak ada eksekusi: timer atau loop yang ditinggalkan eksekusi sebelumnya. Hentikan timer ketika eksekusi selesai, dan tunggu yang dimulainya (atau serahkan ke `ctx.waitUntil`).",
  cpu_exploded: (v) =>
    `${formatNumber(v.runs)} eksekusi yang baik dari versi ini paling banyak memerlukan ${
      formatMilliseconds(v.needed_ms)
    } dari ${
      formatMilliseconds(v.limit_ms)
    } yang boleh, jadi yang ini bukan sekadar sedikit lebih lama: cari loop yang tidak berakhir, atau masukan yang membuatnya meledak (regular expression, daftar besar).`,
  cpu_no_limit: () => "Menaikkan limits.cpu_ms hanya membuatnya membakar prosesor lebih lama.",
  move_work: () =>
    "Pindahkan pekerjaan berat dari permintaan: simpan hasilnya di cache, kerjakan sepotong-sepotong, atau serahkan ke database.",
  profile: () => "`v8box profile` menunjukkan ke mana waktunya.",
  cpu_near: (v) =>
    `Eksekusi yang baik memerlukan sampai ${formatMilliseconds(v.needed_ms)} dari ${
      formatMilliseconds(v.limit_ms)
    } yang boleh: batasnya terlalu rendah.`,
  cpu_unknown: () =>
    "Belum ada eksekusi versi ini yang berakhir baik. Jika hanya perlu lebih lama, naikkan batasnya; jika tidak, cari loop.",
  leak: () =>
    "Memorinya bertambah terus selama banyak detik, seperti kebocoran: cari list, map, atau cache di tingkat atas modul yang hanya bertambah, serta closure atau stream yang ditahan.",
  heap: () => "`v8box heap` mengambil snapshot proses yang hidup, yang menunjukkan apa yang ditahan dan oleh siapa.",
  memory_no_limit: () => "Batas yang lebih tinggi hanya menundanya.",
  memory_far: (v) =>
    `Eksekusi yang baik dari versi ini paling banyak memakai ${
      formatBytes(v.needed_bytes)
    }; yang ini jauh melampauinya. Lihat eksekusi yang sedang berlangsung: body, query, atau berkas besar yang dibaca sekaligus.`,
  stream: () => "Baca yang besar sebagai stream, bagi query per halaman, dan batasi apa yang boleh diminta pemanggil.",
  memory_more: () => "Ia memerlukan lebih dari yang boleh. Baca yang besar sebagai stream, dan bagi query per halaman.",
  memory_shared: (v) =>
    `${
      formatNumber(v.runs)
    } eksekusi berbagi proses dan memorinya: limits.concurrency yang lebih kecil memberi masing-masing lebih banyak.`,
  memory_sudden: () =>
    "Memorinya melonjak dalam hitungan detik: lihat apa yang baru mulai dimuat eksekusi yang sedang berlangsung.",
  waited_for: (v) =>
    `Ia menunggu ${v.calls}: periksa mengapa begitu lama (indeks yang tidak ada, kunci yang dipegang transaksi lain, key yang tidak pernah diisi).`,
  computed: (v) => `${computing(v.cpu_ms, v.elapsed_ms)}: stack di bawah menunjukkan tempatnya.`,
  computed_profile: (v) => `${computing(v.cpu_ms, v.elapsed_ms)}: \`v8box profile\` menunjukkan tempatnya.`,
  waited: () =>
    "Ia menunggu sesuatu yang bukan binding: fetch keluar (beri AbortSignal.timeout), atau promise yang tidak pernah diselesaikan.",
  wall_usual: (v) =>
    `${formatNumber(v.runs)} eksekusi yang baik dari versi ini paling lama ${formatMilliseconds(v.needed_ms)}.`,
  module_threw: () =>
    "Modul melempar kesalahan saat dimuat, jadi tidak ada permintaan yang bisa dijawab: baris terakhir memuat kesalahannya. Yang ada di tingkat atas modul tidak boleh memerlukan permintaan, atau variabel yang belum diatur.",
  module_slow: () =>
    "Memuat modul terlalu lama: await di tingkat atas untuk sesuatu yang lambat, atau banyak pekerjaan di sana. Lakukan itu pada permintaan pertama dan simpan hasilnya.",
};

function computing(cpu: number, elapsed: number): string {
  return `Ia menghitung: ${formatMilliseconds(cpu)} waktu prosesor dalam ${
    formatMilliseconds(elapsed)
  } (mesin yang sibuk hanya memberi loop bagiannya). Cari loop yang tidak berakhir, atau kerjakan lebih sedikit dalam satu permintaan`;
}

/** Says what it is about; with a limit that is all, else the box's own words come after it. */
const REASONS: Partial<Record<StopReason, string>> = {
  cpu: "Waktu prosesornya melampaui limits.cpu_ms.",
  memory: "Memorinya mencapai limits.memory_mb.",
  wall: "Eksekusinya lebih lama dari limits.wall_ms.",
  log_bytes: "Worker terus mencetak, jauh melampaui limits.log_kb.",
  response_bytes: "Responsnya lebih panjang dari limits.response_mb.",
  subrequests: "Worker terus memanggil keluar, jauh melampaui limits.subrequests.",
  startup: "Modulnya tidak selesai dimuat.",
  protocol: "Worker merusak salurannya ke box.",
  exit: "Worker mengakhiri prosesnya sendiri.",
  crash: "Prosesnya mati.",
};

export function whyKilled({ reason, detail, limit }: Pick<KillInfo, "reason" | "detail" | "limit">): string {
  const lead = REASONS[reason];
  if (language() !== "id" || lead === undefined) return detail;
  return limit === null ? `${lead} (${detail})` : lead;
}

/** The advice of a report, one after the other. */
export function advisedIn({ advice, advice_parts: parts }: KillReport): string[] {
  return advice.map((text, index) => {
    const part = parts[index];
    return said(PHRASES, text, part === undefined ? [] : [part]);
  });
}
