// What the palette finds of workers, and does with them. Of few, it knows all; of many, the box looks for what is typed.
import { ChartNoAxesColumn, Play, ScrollText, SquareFunction, Undo2 } from "lucide-react";
import { labels } from "@/features/workers/labels";
import { api } from "@/lib/api/client";
import type { Command, CommandContext } from "@/lib/feature";
import { projectPath } from "@/lib/project";
import { may } from "@/lib/session/session";

const KNOWN = 200;
const FOUND = 20;

export async function find(context: CommandContext, typed: string): Promise<Command[]> {
  const { client, project } = context;
  const ask = (query: { limit: number; search?: string }) =>
    api("GET /api/v1/projects/{project}/workers", { path: { project }, query });
  const all = await client.fetchQuery({
    queryKey: ["palette", "workers", project],
    queryFn: () => ask({ limit: KNOWN }),
    staleTime: 10_000,
  });
  // Of "run hello" the name is the last word.
  const name = typed.split(/\s+/).at(-1) ?? "";
  const { items } = all.next_cursor === null || name === "" ? all : await ask({ limit: FOUND, search: name });
  return items.flatMap((worker) => linesOf(context, worker.name, worker.tags));
}

function linesOf({ language, navigate, project, me }: CommandContext, name: string, tags: string[]): Command[] {
  const t = labels[language];
  const line = (kind: string, label: string, icon: Command["icon"], path: string): Command => ({
    id: `worker.${name}${kind}`,
    label,
    group: t.commandGroup,
    ...(icon && { icon }),
    keywords: tags,
    run: () => navigate(path),
  });
  const to = (...parts: string[]) => projectPath(project, "workers", name, ...parts);
  const change = may(me, "developer", project)
    ? [
      line(".run", t.commandRun(name), Play, `${to()}?run`),
      line(".rollback", t.commandRollBack(name), Undo2, `${to("versions")}?rollback`),
    ]
    : [];
  return [
    line("", name, SquareFunction, to()),
    ...change,
    line(".logs", t.commandLogs(name), ScrollText, to("logs")),
    line(".metrics", t.commandMetrics(name), ChartNoAxesColumn, to("metrics")),
  ];
}
