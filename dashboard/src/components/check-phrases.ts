// What the box's checks find and advise, in Bahasa Indonesia.
import type { CheckInfo } from "@/api/generated/api";
import { type Phrases, said } from "@/components/phrases";
import { formatBytes, formatMilliseconds, formatNumber } from "@/lib/i18n/format";

const BACKLOGS: Readonly<Record<string, string>> = {
  "run log": "log eksekusi",
  operations: "operasi",
  "usage of past days": "pemakaian hari-hari lalu",
  "spans and lines for the collector": "span dan baris untuk collector",
};

const percent = (share: number) => formatNumber(share, { style: "percent" });
const backlog = (name: string) => BACKLOGS[name] ?? name;

const PHRASES: Phrases = {
  answers: () => "menjawab",
  no_answer: (v) => `tidak menjawab dalam ${formatNumber(v.seconds)} detik`,
  look_db: () => "periksa server atau mesin database: LIBSQL_URL, disk, log box",
  look_cache: () => "periksa apakah Valkey berjalan dan punya memori: VALKEY_URL, log box",
  look_s3: () => "periksa apakah server S3 menjawab dengan kunci ini: S3_ENDPOINT, atau disk direktori data",
  look_vault: () => "periksa apakah Vault sudah dibuka segelnya dan tokennya berlaku: VAULT_ADDR, VAULT_TOKEN",
  disk_free: (v) => `${formatBytes(v.free_bytes)} dari ${formatBytes(v.total_bytes)} kosong`,
  disk_few_inodes: (v) =>
    `${formatBytes(v.free_bytes)} dari ${formatBytes(v.total_bytes)} kosong, tetapi hanya ${
      formatNumber(v.left)
    } dari ${formatNumber(v.inodes)} inode`,
  make_room: () =>
    "kosongkan ruang: database, objek, dan log bertambah di sini (v8box project, rilis lama, jatah log dan cache)",
  make_room_now: (v) =>
    `kosongkan ruang: database, objek, dan log bertambah di sini (v8box project, rilis lama, jatah log dan cache); di bawah ${
      formatNumber(v.critical_mb)
    } MiB penulisan mulai gagal`,
  free_inodes: () => "hapus banyak berkas kecil, atau buat ulang sistem berkas dengan lebih banyak inode",
  memory_available: (v) => `${formatBytes(v.available_bytes)} dari ${formatBytes(v.total_bytes)} tersedia`,
  less_memory: () =>
    "jalankan lebih sedikit sandbox (V8BOX_MAX_SANDBOXES), beri worker batas lebih kecil, atau tambah memori",
  less_memory_now: () =>
    "jalankan lebih sedikit sandbox (V8BOX_MAX_SANDBOXES), beri worker batas lebih kecil, atau tambah memori: kernel hampir mematikan proses",
  clock_jumped: (v) => `jam melompat ${formatNumber(v.seconds)} detik, ${formatNumber(v.ago_seconds)} detik yang lalu`,
  slew_clock: () => "biarkan NTP menggeser jam perlahan; jadwal, token, dan tanda tangan mengikuti jam",
  clock_untold: () => "tidak melompat; mesin ini tidak memberi tahu apakah NTP menjaganya",
  clock_unkept: () => "tidak melompat, tetapi tidak ada yang menjaganya tetap benar",
  keep_clock: () => "nyalakan sinkronisasi waktu: timedatectl set-ntp true, atau chrony",
  clock_kept: (v) => `tersinkron, meleset paling banyak ${formatMilliseconds(v.error_ms)}`,
  reach_ntp: () => "periksa apakah server NTP dapat dijangkau",
  processors: (v) => `${formatNumber(v.count)} prosesor`,
  processors_busy: (v) => `${percent(v.share)} dari ${formatNumber(v.count)} prosesor`,
  processors_full: (v) =>
    `${percent(v.share)} dari ${formatNumber(v.count)} prosesor selama ${formatNumber(v.minutes)} menit`,
  find_busy: () =>
    "periksa worker mana yang memakainya (Metrik, atau v8box metrics --box --by cpu_ms), beri batas lebih kecil, atau tambah prosesor",
  waiting: (v) => `${backlog(v.name)}: ${formatNumber(v.waiting)}`,
  dropped: (v) =>
    `${backlog(v.name)}: ${formatNumber(v.waiting)} (${formatNumber(v.lost)} dibuang sejak box dijalankan)`,
  nothing_waits: () => "tidak ada yang menunggu",
  look_disk: () => "periksa apakah disk penuh atau lambat: eksekusi dan baris log dibuang, permintaan tidak pernah",
  wait_for_work: () => "tunggu pekerjaan panjang selesai, atau batalkan sebagian: GET /api/v1/operations",
  write_catalog: () => "periksa di log mengapa database platform tidak dapat ditulis",
  look_exporter: () =>
    "periksa di log mengapa OTEL_EXPORTER_OTLP_ENDPOINT tidak menerimanya, atau turunkan OTEL_TRACES_SAMPLER_ARG",
  backup_soon: () => "belum ada: yang pertama dibuat semenit setelah box dijalankan",
  backup_none: () => "tidak ada",
  write_backup: (v) => `periksa di log mengapa ${v.folder} tidak dapat ditulis`,
  backup_age: (v) => `berumur ${formatNumber(v.hours)} jam`,
  renew_backup: (v) => `periksa di log mengapa cadangan baru tidak dapat dibuat di ${v.folder}`,
  cache_unbounded: (v) => `${formatBytes(v.used_bytes)} terpakai, tanpa batas`,
  cache_used: (v) => `${formatBytes(v.used_bytes)} dari ${formatBytes(v.most_bytes)} terpakai`,
  free_cache: () => "hapus key, biarkan kedaluwarsa (EX), atau beri server lebih banyak memori (maxmemory)",
  rungs_taken: () => "semua lapis terpasang",
  rungs_missing: (v) => `belum ada: ${v.names}`,
  allow_rung: () => "cari kontainer atau profil keamanan yang melarangnya",
  newer_linux: () => "pakai Linux 5.13 atau lebih baru dengan landlock dalam daftar lsm= (6.12 mencakup semuanya)",
  allow_seccomp: () => "pakai Linux dengan filter seccomp di x86_64 atau aarch64",
  start_as_root: () => "jalankan box sebagai root, dengan kapabilitas SETUID, SETGID, dan KILL",
  sandboxes: (v) => `${formatNumber(v.taken)} dari ${formatNumber(v.most)} sandbox`,
  sandbox_failed: (v) =>
    `${formatNumber(v.taken)} dari ${formatNumber(v.most)} sandbox; ada yang tidak bisa dijalankan: ${v.fault}`,
  mend_sandboxes: () => "periksa log, dan apakah mesin kehabisan memori, proses, atau berkas: v8box doctor",
  spawner_gone: () => "proses yang menjalankan sandbox sudah mati",
  box_stopping: () => "box sedang berhenti",
  start_again: () => "jalankan ulang box, dan periksa sebabnya di log",
  certificate_days: (v) => `${v.place}: ${formatNumber(v.days)} hari lagi`,
  certificate_expired: (v) => `${v.place}: kedaluwarsa ${formatNumber(v.days)} hari yang lalu`,
  certificate_refused: (v) => `${v.place}: ${formatNumber(v.days)} hari lagi, tetapi peramban menolaknya: ${v.fault}`,
  certificate_silent: (v) => `${v.place}: tidak ada jawaban TLS pada waktunya`,
  certificate_unseen: (v) => `${v.place}: tidak terlihat: ${v.fault}`,
  renew_certificate: (v) => `periksa di log proxy mengapa sertifikat ${v.place} tidak diperbarui`,
  get_certificate: (v) => `buatkan ${v.place} sebuah sertifikat`,
  read_certificate: (v) => `izinkan pengguna yang menjalankan box membaca ${v.place}`,
  reach_host: (v) =>
    `periksa apakah ${v.place} mengarah ke box ini; atur V8BOX_CERTIFICATES bila tidak dapat dijangkau dari dalam`,
};

export const foundBy = (check: CheckInfo): string => said(PHRASES, check.value, check.value_parts);
export const advisedBy = (check: CheckInfo): string => said(PHRASES, check.advice, check.advice_parts);
