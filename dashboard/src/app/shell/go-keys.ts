// `g` and a letter goes to a page of the navigation.
import { useNavigate } from "react-router";
import { useNavItems } from "@/app/shell/navigation";
import { useLanguage } from "@/lib/i18n/language";

const KEYS: Readonly<Record<string, string>> = {
  "": "o",
  workers: "w",
  sites: "p",
  database: "d",
  databases: "d",
  objects: "b",
  logs: "l",
  errors: "e",
  metrics: "m",
  kills: "k",
  alerts: "a",
  variables: "v",
  projects: "r",
  "settings/users": "u",
  "settings/system": "s",
};

/** The pages that have a key, in the order of the navigation. */
export function useGoItems(): { key: string; label: string; to: string }[] {
  const language = useLanguage();
  return useNavItems().flatMap(({ path, label, to }) => {
    const key = KEYS[path];
    return key === undefined ? [] : [{ key, label: label(language), to }];
  });
}

export function useGoKeys(): Record<string, () => void> {
  const navigate = useNavigate();
  return Object.fromEntries(useGoItems().map(({ key, to }) => [`g ${key}`, () => void navigate(to)]));
}
