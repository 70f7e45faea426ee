import "@/app/styles.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "@/app/app";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no place for the app.");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

if (isSecureContext && "serviceWorker" in navigator && import.meta.env.PROD) {
  const base = document.documentElement.dataset.base ?? "";
  addEventListener("load", () => void navigator.serviceWorker.register(`${base}/sw.js`, { scope: `${base}/` }));
}
