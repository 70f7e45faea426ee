// What the box refuses, in Bahasa Indonesia: it speaks English itself. By the problem's `code`.

/** Says as much as the box does. */
const WHOLE: Readonly<Record<string, string>> = {
  sign_in_failed: "Nama pengguna, kata sandi, atau kodenya tidak benar.",
  password_wrong: "Kata sandi sekarang tidak benar.",
  code_wrong: "Kodenya tidak benar, atau sudah dipakai. Tunggu kode berikutnya.",
  too_many_attempts: "Terlalu banyak upaya masuk yang gagal. Tunggu, lalu coba lagi.",
  too_many_sign_ins: "Terlalu banyak yang masuk bersamaan. Coba lagi sebentar lagi.",
  session_ended: "Sesi sudah berakhir. Silakan masuk lagi.",
  sign_in_needed: "Silakan masuk dulu.",
  last_owner: "Ini pemilik box yang terakhir: tunjuk pemilik lain dulu.",
  password_from_environment:
    "Kata sandi ini diatur oleh ADMIN_PASSWORD setiap box dijalankan: ubah di sana, lalu jalankan ulang.",
  user_exists: "Sudah ada pengguna dengan nama ini.",
  too_many_users: "Pengguna di box sudah terlalu banyak; hapus sebagian.",
  too_many_tokens: "Token pengguna ini sudah terlalu banyak; hapus sebagian.",
  project_exists: "Sudah ada proyek dengan nama ini.",
  project_deleting: "Proyek ini sedang dihapus.",
  default_project: "Proyek default selalu ada: hapus saja isinya.",
  too_many_projects: "Proyek di box sudah sebanyak yang bisa: hapus satu.",
  precondition_failed: "Orang lain sudah mengubahnya. Muat lagi, lalu ubah yang terbaru.",
  deployment_changed: "Orang lain sudah mengubah deployment ini. Lihat lagi, lalu putuskan.",
  site_changed: "Orang lain sudah mengubah situs ini. Lihat lagi, lalu putuskan.",
  site_taken: "Sudah ada situs bernama ini, di proyek ini atau di proyek lain.",
  domain_taken: "Nama host ini sudah milik sebuah situs.",
  release_in_use:
    "Rilis ini tayang, disematkan, atau tampil di pratinjau. Deploy yang lain, atau lepas sematan atau pratinjaunya dulu.",
  version_in_use: "Versi ini aktif, bertag, atau disematkan. Aktifkan yang lain, atau lepas tag dan sematannya dulu.",
  worker_in_use: "Worker ini adalah fungsi sebuah situs: hapus berkasnya di sana lalu deploy, atau hapus situsnya.",
  too_many_operations: "Terlalu banyak pekerjaan berjalan: tunggu satu selesai, atau batalkan satu.",
  operation_ended: "Operasi sudah berakhir: tidak ada yang bisa dibatalkan.",
  too_many_deploys: "Terlalu banyak deploy dan impor menunggu giliran. Coba lagi sebentar lagi.",
  bad_worker_name: "Nama worker terdiri dari 1 sampai 63 huruf a-z, angka, - dan _, diawali huruf atau angka.",
  no_capacity: "Tidak ada sandbox yang kosong pada waktunya. Coba lagi sebentar lagi.",
};

/** Says what it is about; the box's own words, which have the details, come after it. */
const LEAD: Readonly<Record<string, string>> = {
  forbidden: "Anda tidak boleh melakukan ini. Minta peran yang diperlukan kepada pemilik atau admin proyek.",
  not_found: "Tidak ditemukan.",
  project_not_found: "Tidak ada proyek dengan nama ini.",
  user_not_found: "Tidak ada pengguna ini.",
  session_not_found: "Tidak ada sesi ini; mungkin sudah berakhir.",
  token_not_found: "Tidak ada token ini.",
  variable_not_found: "Tidak ada variabel ini di tingkat ini.",
  quota_exceeded: "Kuota proyek sudah penuh. Admin box dapat menaikkannya.",
  bad_request: "Permintaan tidak dapat diterima.",
  bad_site_name: "Nama situs ini tidak bisa dipakai.",
  bad_variables: "Sebagian variabel ini tidak bisa diatur; tidak ada yang berubah.",
  bad_archive: "Arsip ditolak, dan tidak ada isinya yang disimpan.",
  deploy_refused: "Yang dikirim tidak bisa di-deploy.",
  import_refused: "Berkas tidak bisa diimpor, dan tidak ada isinya yang masuk.",
  bundle: "Kode worker tidak bisa dibangun.",
  manifest: "Manifes worker punya kesalahan.",
  weak_password: "Kata sandi terlalu mudah ditebak.",
  payload_too_large: "Yang dikirim lebih besar daripada yang diterima box.",
  rate_limited: "Terlalu banyak permintaan.",
};

export function inIndonesian(code: string, message: string): string {
  const lead = LEAD[code];
  return WHOLE[code] ?? (lead === undefined ? message : `${lead} (${message})`);
}
