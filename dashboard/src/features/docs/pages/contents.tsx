import pages from "virtual:docs";
import { useMemo, useState } from "react";
import { Link } from "react-router";
import { SearchInput } from "@/components/field";
import { Card, Page } from "@/components/layout";
import { messages } from "@/features/docs/messages";
import { useMessages } from "@/lib/i18n/language";

/** Every page, with those of its headings that are looked for. */
export default function ContentsPage() {
  const t = useMessages(messages);
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const shown = useMemo(() =>
    pages.map((page) => ({
      ...page,
      headings: wanted === "" ? [] : page.headings.filter((each) => each.text.toLowerCase().includes(wanted)),
    })).filter((page) => wanted === "" || page.headings.length > 0 || page.title.toLowerCase().includes(wanted)), [
    wanted,
  ]);
  return (
    <Page title={t.title} description={t.description}>
      <Card flush>
        <div className="border-b px-4 py-3">
          <SearchInput label={t.find} value={text} onChange={(event) => setText(event.target.value)} />
        </div>
        {shown.length === 0
          ? <p className="p-8 text-center text-sm text-muted">{t.none}</p>
          : GROUPS.map((group) => (
            <Group
              key={group}
              title={t.groups[group]}
              pages={shown.filter((page) => page.group === group)}
            />
          ))}
      </Card>
    </Page>
  );
}

const GROUPS = ["use", "run", "change"] as const;

function Group({ title, pages: shown }: { title: string; pages: typeof pages }) {
  if (shown.length === 0) return null;
  return (
    <section className="border-b p-4 last:border-b-0">
      <h2 className="mb-1.5 text-base font-semibold">{title}</h2>
      <ul className="gap-x-6 sm:columns-2 lg:columns-3">
        {shown.map((page) => (
          <li key={page.path} className="break-inside-avoid py-1 text-sm">
            <Link to={`/docs/${page.path}`} className="rounded-sm font-medium text-accent hover:underline">
              {page.title}
            </Link>
            <ul>
              {page.headings.map(({ text: heading, slug }) => (
                <li key={slug} className="py-0.5 pl-3">
                  <Link to={`/docs/${page.path}#${slug}`} className="rounded-sm text-muted hover:underline">
                    {heading}
                  </Link>
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </section>
  );
}
