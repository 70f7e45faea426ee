// Which project is at hand, and the others. With many of them one types a part of the name.
import { Command } from "cmdk";
import { Check, ChevronsUpDown, LayoutGrid } from "lucide-react";
import { Popover } from "radix-ui";
import { useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { messages } from "@/app/messages";
import { useMessages } from "@/lib/i18n/language";
import { projectPath, rememberProject, useProjectName } from "@/lib/project";
import { useSession } from "@/lib/session/session";

const row =
  "flex cursor-default items-center gap-2 rounded-md px-2 py-1.5 text-sm outline-none select-none data-[selected=true]:bg-hover max-lg:py-2.5";

export function ProjectSwitcher({ onGo }: { onGo?: () => void }) {
  const t = useMessages(messages);
  const { projects } = useSession();
  const here = useProjectName();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const [open, setOpen] = useState(false);
  const go = (path: string) => {
    setOpen(false);
    onGo?.();
    void navigate(path);
  };
  const change = (project: string) => {
    rememberProject(project);
    // The same area of the other project: /projects/a/workers/hello → /projects/b/workers.
    const area = pathname.startsWith("/projects/") ? pathname.split("/").slice(3, 4) : [];
    go(projectPath(project, ...area));
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger
        aria-label={`${t.switchProject}: ${here}`}
        className="flex h-9 w-full items-center gap-2 rounded-md border bg-surface px-2.5 text-sm font-medium shadow-low hover:border-line-strong"
      >
        <span
          aria-hidden
          className="grid size-4.5 place-content-center rounded-sm bg-accent-soft text-xs font-semibold text-accent uppercase before:content-[attr(data-initial)]"
          data-initial={here.slice(0, 1)}
        />
        <span className="truncate">{here}</span>
        <ChevronsUpDown aria-hidden className="ml-auto size-3.5 shrink-0 text-muted" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="start"
          sideOffset={4}
          collisionPadding={8}
          className="z-50 w-60 rounded-lg border bg-raised shadow-high animate-[fade_0.1s]"
        >
          <Command label={t.switchProject}>
            {projects.length > 6 && (
              <Command.Input
                placeholder={t.searchHint}
                className="w-full border-b bg-transparent px-3 py-2 text-sm outline-none"
              />
            )}
            <Command.List className="max-h-72 overflow-y-auto p-1">
              <Command.Empty className="p-3 text-center text-sm text-muted">{t.paletteEmpty}</Command.Empty>
              {projects.map((project) => (
                <Command.Item
                  key={project}
                  value={project}
                  onSelect={() => change(project)}
                  className={row}
                >
                  <Check aria-hidden className={`size-3.5 ${project === here ? "" : "opacity-0"}`} />
                  <span className="truncate">{project}</span>
                </Command.Item>
              ))}
              <Command.Separator className="-mx-1 my-1 h-px bg-line" />
              <Command.Item value="__all" onSelect={() => go("/settings/projects")} className={row}>
                <LayoutGrid aria-hidden className="size-3.5 text-muted" />
                {t.allProjects}
              </Command.Item>
            </Command.List>
          </Command>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
