// The navigation: what the features say, in their order, by group. Whoever may not use a page does not see it.
import { NavLink } from "react-router";
import { FEATURES } from "@/app/features";
import { messages } from "@/app/messages";
import { classes } from "@/lib/classes";
import type { NavItem } from "@/lib/feature";
import { useLanguage, useMessages } from "@/lib/i18n/language";
import { projectPath, useProjectName } from "@/lib/project";
import { may, useSession } from "@/lib/session/session";

const GROUPS: readonly NavItem["group"][] = ["main", "observe", "project", "box", "account"];

/** All that somebody can go to. */
export function useNavItems(): (NavItem & { to: string })[] {
  const me = useSession();
  const project = useProjectName();
  return FEATURES.flatMap(({ nav }) => nav ?? [])
    .filter(({ needs, box }) => needs === undefined || may(me, needs, box ? "*" : project))
    .map((item) => ({
      ...item,
      to: item.box ? `/${item.path}` : projectPath(project) + (item.path ? `/${item.path}` : ""),
    }));
}

export function Navigation({ onGo }: { onGo?: () => void }) {
  const t = useMessages(messages);
  const language = useLanguage();
  const items = useNavItems();
  return (
    <nav aria-label={t.navigation} className="flex-1 overflow-y-auto px-3 pb-4">
      {GROUPS.map((group) => {
        const here = items.filter((item) => item.group === group);
        return here.length > 0 && (
          <div key={group} className="mt-3 first:mt-1">
            <h2 id={`nav-${group}`} className="px-2 pb-1 text-xs font-medium text-muted">{t.groups[group]}</h2>
            <ul aria-labelledby={`nav-${group}`} className="grid gap-px">
              {here.map(({ label, icon: Icon, to, path, end }) => (
                <li key={to}>
                  <NavLink
                    to={to}
                    end={end ?? path === ""}
                    onClick={onGo}
                    className={({ isActive }) =>
                      classes(
                        "flex h-8 items-center gap-2.5 rounded-md px-2 text-sm font-medium max-lg:h-10",
                        isActive ? "bg-accent-soft text-accent" : "text-muted hover:bg-hover hover:text-text",
                      )}
                  >
                    <Icon aria-hidden className="size-4 shrink-0" />
                    {label(language)}
                  </NavLink>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}
