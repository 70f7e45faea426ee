// Runs before the first paint: the theme, so that nothing flashes, the language, and the app's manifest. It is a file of
// its own since the page's policy allows no script inside it.
(() => {
  const root = document.documentElement;
  let theme = null;
  let language = null;
  try {
    theme = localStorage.getItem("v8box.theme");
    language = localStorage.getItem("v8box.language");
  } catch { /* without storage: what the system says */ }
  const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";
  document.querySelector("meta[name=theme-color]").content = dark ? "#0c0d10" : "#ffffff";
  root.lang = language ?? (navigator.language.toLowerCase().startsWith("id") ? "id" : "en");
  // On the admin's own host the app is at /, by path at /admin.
  root.dataset.base = /^\/admin(\/|$)/.test(location.pathname) ? "/admin" : "";
  const manifest = document.createElement("link");
  manifest.rel = "manifest";
  manifest.href = `${root.dataset.base}/manifest.webmanifest`;
  document.head.append(manifest);
})();
