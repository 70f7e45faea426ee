// What the palette lists: recent places, pages, what features find and offer. Loaded when it is first opened.
import { keepPreviousData, useQueries, useQueryClient } from "@tanstack/react-query";
import { Command as Cmdk } from "cmdk";
import { Clock, Keyboard, Moon, Sun } from "lucide-react";
import { useState } from "react";
import { useNavigate } from "react-router";
import { FEATURES } from "@/app/features";
import { messages } from "@/app/messages";
import { groupsOf, ranked } from "@/app/shell/ranking";
import { recentPlaces } from "@/app/shell/recent";
import { useNavItems } from "@/app/shell/navigation";
import type { Command, CommandContext, NavItem } from "@/lib/feature";
import { useDebounced } from "@/lib/debounce";
import { type Language, useLanguage, useMessages } from "@/lib/i18n/language";
import { useProjectName } from "@/lib/project";
import { useSession } from "@/lib/session/session";
import { setTheme, useTheme } from "@/lib/theme";

const MOST_FOUND = 60; // of a thousand workers, those that are drawn

/** Mounted while it is open, so that nothing is asked before. */
export default function PaletteLines({ onClose, onShortcuts }: { onClose: () => void; onShortcuts: () => void }) {
  const t = useMessages(messages);
  const [typed, setTyped] = useState("");
  const commands = useCommands(onShortcuts, typed);
  const shown = ranked(commands, typed, MOST_FOUND);
  // The best line is chosen until somebody moves, also when it comes a moment later than others.
  const [chosen, setChosen] = useState("");
  const [moved, setMoved] = useState(false);
  const hold = () => setMoved(true);
  return (
    <Cmdk
      label={t.palette}
      loop
      shouldFilter={false}
      value={moved ? chosen : shown[0]?.id ?? ""}
      onValueChange={setChosen}
      onKeyDown={(event) => ["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) && hold()}
      onPointerMove={hold}
    >
      <Cmdk.Input
        autoFocus
        value={typed}
        onValueChange={(text) => {
          setTyped(text);
          setMoved(false);
        }}
        placeholder={t.palettePlaceholder}
        className="h-12 w-full border-b bg-transparent px-4 text-lg outline-none"
      />
      <Cmdk.List className="max-h-[min(60dvh,26rem)] overflow-y-auto p-1.5">
        <Cmdk.Empty className="py-8 text-center text-sm text-muted">{t.paletteEmpty}</Cmdk.Empty>
        {groupsOf(shown).map(([group, lines]) => (
          <Cmdk.Group
            key={group}
            heading={group}
            className="[&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-muted"
          >
            {lines.map((each) => (
              <Cmdk.Item
                key={each.id}
                value={each.id}
                onSelect={() => {
                  onClose();
                  void each.run();
                }}
                className="flex cursor-default items-center gap-2.5 rounded-md px-2 py-1.5 text-sm outline-none select-none data-[selected=true]:bg-hover max-sm:py-2.5"
              >
                {each.icon && <each.icon aria-hidden className="size-4 shrink-0 text-muted" />}
                <span className="min-w-0 truncate">{each.label}</span>
                {each.hint && <span className="ml-auto shrink-0 text-xs text-muted">{each.hint}</span>}
              </Cmdk.Item>
            ))}
          </Cmdk.Group>
        ))}
      </Cmdk.List>
    </Cmdk>
  );
}

function useCommands(onShortcuts: () => void, typed: string): Command[] {
  const t = useMessages(messages);
  const language = useLanguage();
  const me = useSession();
  const project = useProjectName();
  const client = useQueryClient();
  const navigate = useNavigate();
  const items = useNavItems();
  const { shown } = useTheme();
  const context: CommandContext = { project, me, language, client, navigate: (path) => void navigate(path) };
  const settled = useDebounced(typed.trim(), 150);
  const shared = {
    staleTime: 10_000,
    retry: false, // what cannot be asked is not found; its own page says why
  };
  const found = useQueries({
    queries: [
      ...FEATURES.filter((feature) => feature.search).map((feature) => ({
        ...shared,
        queryKey: ["palette", feature.name, project, language],
        queryFn: () => feature.search?.(context) ?? [],
      })),
      ...FEATURES.filter((feature) => feature.find).map((feature) => ({
        ...shared,
        queryKey: ["palette", feature.name, project, language, settled],
        queryFn: () => feature.find?.(context, settled) ?? [],
        placeholderData: keepPreviousData,
      })),
    ],
  }).flatMap((query) => query.data ?? []);
  const go = (path: string) => () => void navigate(path);
  return [
    ...recentPlaces().map((path) => ({
      id: `recent:${path}`,
      ...readable(path, language, project),
      group: t.recent,
      icon: Clock,
      run: go(path),
    })),
    ...items.map(({ to, label, icon, path }) => ({
      id: `go:${to}`,
      label: label(language),
      keywords: [label("en"), path],
      group: t.goTo,
      icon,
      run: go(to),
    })),
    ...(typed.trim() === "" ? [] : found),
    ...FEATURES.flatMap((feature) => feature.commands?.(context) ?? []),
    {
      id: "theme",
      label: `${t.theme}: ${shown === "dark" ? t.themes.light : t.themes.dark}`,
      keywords: ["dark", "light", "theme"],
      group: t.commands,
      icon: shown === "dark" ? Sun : Moon,
      run: () => setTheme(shown === "dark" ? "light" : "dark"),
    },
    {
      id: "shortcuts",
      label: t.shortcuts,
      keywords: ["keys", "keyboard"],
      group: t.commands,
      icon: Keyboard,
      hint: "?",
      run: onShortcuts,
    },
  ];
}

/** `/projects/shop/workers/hello` as `Workers / hello`, with the project beside it where it is another one. */
function readable(path: string, language: Language, here: string): { label: string; hint?: string } {
  const parts = path.split("/").slice(1).map(decoded);
  const [project, rest] = parts[0] === "projects" ? [parts[1], parts.slice(2)] : [undefined, parts];
  const box = project === undefined;
  const area = FEATURES.flatMap(({ nav }) => nav ?? [])
    .filter((item) =>
      (item.box ?? false) === box &&
      (item.path === "" ? [] : item.path.split("/")).every((each, index) => rest[index] === each)
    )
    .reduce<NavItem | undefined>((best, item) => item.path.length >= (best?.path.length ?? 0) ? item : best, undefined);
  const below = rest.slice(area === undefined || area.path === "" ? 0 : area.path.split("/").length);
  const label = [...(area && (area.path !== "" || below.length === 0) ? [area.label(language)] : []), ...below].join(
    " / ",
  );
  return { label, ...(project !== undefined && project !== here && { hint: project }) };
}

/** What somebody typed into the address bar may be no proper address. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
