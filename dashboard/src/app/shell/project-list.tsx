// The projects to choose from. Loaded when somebody looks at them first.
import { Command } from "cmdk";
import { Check, LayoutGrid } from "lucide-react";
import { messages } from "@/app/messages";
import { useMessages } from "@/lib/i18n/language";

const row =
  "flex cursor-default items-center gap-2 rounded-md px-2 py-1.5 text-sm outline-none select-none data-[selected=true]:bg-hover max-lg:py-2.5";

export default function ProjectList({ projects, here, onProject, onAll }: {
  projects: readonly string[];
  here: string;
  onProject: (project: string) => void;
  onAll: () => void;
}) {
  const t = useMessages(messages);
  return (
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
            onSelect={() => onProject(project)}
            className={row}
          >
            <Check aria-hidden className={`size-3.5 ${project === here ? "" : "opacity-0"}`} />
            <span className="truncate">{project}</span>
          </Command.Item>
        ))}
        <Command.Separator className="-mx-1 my-1 h-px bg-line" />
        <Command.Item value="__all" onSelect={onAll} className={row}>
          <LayoutGrid aria-hidden className="size-3.5 text-muted" />
          {t.allProjects}
        </Command.Item>
      </Command.List>
    </Command>
  );
}
