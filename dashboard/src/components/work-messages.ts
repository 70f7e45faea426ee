// What the box's long work is called, by its kind.
import { catalogue } from "@/lib/i18n/language";

export const messages = catalogue({
  en: {
    works: {
      "cache.count": "Count keys",
      "cache.delete": "Delete keys",
      "database.import": "Import rows",
      "objects.clear": "Empty a bucket",
      "project.delete": "Delete a project",
      "release.create": "Deploy a site",
      "release.optimise": "Optimise a release",
      "version.create": "Build a version",
      "worker.heap_snapshot": "Heap snapshot",
      "worker.profile": "CPU profile",
      "workers.deploy": "Deploy workers",
    } as Record<string, string>,
  },
  id: {
    works: {
      "cache.count": "Hitung key",
      "cache.delete": "Hapus key",
      "database.import": "Impor baris",
      "objects.clear": "Kosongkan bucket",
      "project.delete": "Hapus proyek",
      "release.create": "Deploy situs",
      "release.optimise": "Optimalkan rilis",
      "version.create": "Bangun versi",
      "worker.heap_snapshot": "Snapshot heap",
      "worker.profile": "Profil CPU",
      "workers.deploy": "Deploy worker",
    },
  },
});
