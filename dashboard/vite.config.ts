import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The address that the box serves the assets at, on the admin host and by path.
export default defineConfig({
  base: "/admin/",
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  worker: { format: "es" },
  build: {
    outDir: fileURLToPath(new URL("../src/v8box/api/dashboard/built", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the policy of the page allows no data: scripts or fonts
    modulePreload: { polyfill: false },
    manifest: true,
    chunkSizeWarningLimit: 8000,
    reportCompressedSize: false,
  },
  // `deno task dev`: a box runs on port 8000 (V8BOX=http://… for another), Vite in front of it.
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ["/api", "/health", "/admin/database", "/admin/s3", "/admin/login", "/admin/logout"].map((path) => [
        path,
        { target: process.env.V8BOX ?? "http://localhost:8000", changeOrigin: false },
      ]),
    ),
  },
});
