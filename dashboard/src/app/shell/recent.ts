// The places that somebody looked at last, on this browser.
const KEY = "v8box.recent";
const KEPT = 6;
const LONGEST = 200;

export function rememberPlace(path: string): void {
  if (path === "/" || path.length > LONGEST) return;
  try {
    localStorage.setItem(KEY, JSON.stringify([path, ...stored().filter((each) => each !== path)].slice(0, KEPT)));
  } catch { /* without storage there are none */ }
}

/** Without the one that is shown. */
export function recentPlaces(): string[] {
  return stored().slice(1);
}

function stored(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}
