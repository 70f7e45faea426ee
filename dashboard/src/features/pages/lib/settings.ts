// The settings of a site as the form has them: what is not set is `undefined`, and goes back to the default.
import type { MountSetting, SettingsChange } from "@/api/generated/api";

export const CHOICES = {
  html_handling: ["auto-trailing-slash", "force-trailing-slash", "drop-trailing-slash", "none"],
  not_found_handling: ["404-page", "single-page-application", "none"],
  compat: ["netlify", "cloudflare"],
} as const;

export const FLAGS = ["security_headers", "strict"] as const;

export const OPTIMISED = ["html", "css", "js", "svg", "images"] as const;

export type Draft = {
  [Name in keyof SettingsChange]?: NonNullable<SettingsChange[Name]> | undefined;
};

export function mountsOf(given: unknown): MountSetting[] {
  return Array.isArray(given) ? given as MountSetting[] : [];
}

export function draftOf(set: Record<string, unknown>): Draft {
  return { ...set } as Draft;
}

/** Only what is different; what was taken out becomes `null`. */
export function changes(set: Record<string, unknown>, draft: Draft): SettingsChange {
  const found: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(set), ...Object.keys(draft)])) {
    const value = (draft as Record<string, unknown>)[name];
    if (JSON.stringify(value) !== JSON.stringify(set[name])) found[name] = value ?? null;
  }
  return found as SettingsChange;
}
