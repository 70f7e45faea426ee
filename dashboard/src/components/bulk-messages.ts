// The words of changes to many things, loaded with the first of them.
import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    names: "Those that are chosen",
    others: (count: number) => `and ${count} more`,
    type: (word: string) => `Type ${word} to confirm`,
    cancel: "Cancel",
    close: "Close",
    stop: "Stop",
    progress: (done: number, all: number) => `${done} of ${all}`,
    ended: (done: number, refused: number) => `${done} done, ${refused} refused`,
    refused: "Refused",
    failed: "This did not work",
  },
  id: {
    names: "Yang dipilih",
    others: (count) => `dan ${count} lagi`,
    type: (word) => `Ketik ${word} untuk konfirmasi`,
    cancel: "Batal",
    close: "Tutup",
    stop: "Hentikan",
    progress: (done, all) => `${done} dari ${all}`,
    ended: (done, refused) => `${done} selesai, ${refused} ditolak`,
    refused: "Ditolak",
    failed: "Ini tidak berhasil",
  },
});
