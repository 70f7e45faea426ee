// What the palette finds of the documentation: its headings.
import pages from "virtual:docs";
import { BookOpen } from "lucide-react";
import { labels } from "@/features/docs/labels";
import type { Command, CommandContext } from "@/lib/feature";

export function search({ language, navigate }: CommandContext): Promise<Command[]> {
  const group = labels[language].title;
  const line = (to: string, label: string, hint?: string): Command => ({
    id: `docs.${to}`,
    label,
    group,
    icon: BookOpen,
    ...(hint !== undefined && { hint, keywords: [hint] }),
    run: () => navigate(`/docs/${to}`),
  });
  return Promise.resolve(pages.flatMap((page) => [
    line(page.path, page.title),
    ...page.headings.map(({ text, slug }) => line(`${page.path}#${slug}`, text, page.title)),
  ]));
}
