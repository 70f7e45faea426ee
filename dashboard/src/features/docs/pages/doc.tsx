import pages from "virtual:docs";
import { FileQuestion } from "lucide-react";
import { useEffect, useMemo } from "react";
import { Link, useLocation, useParams } from "react-router";
import { useQuery } from "@tanstack/react-query";
import { ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Page } from "@/components/layout";
import { Skeleton } from "@/components/values";
import { Blocks } from "@/features/docs/components/markdown";
import { targetOf } from "@/features/docs/lib/links";
import { parse } from "@/features/docs/lib/markdown";
import { messages } from "@/features/docs/messages";
import { useMessages } from "@/lib/i18n/language";

const TEXTS = import.meta.glob<string>(["../../../../../docs/*.md", "../../../../../docs/bindings/*.md"], {
  query: "?raw",
  import: "default",
});
const KNOWN = new Set(pages.map((page) => page.path));

export default function DocPage() {
  const t = useMessages(messages);
  const { "*": path = "" } = useParams();
  const { hash } = useLocation();
  const page = pages.find((each) => each.path === path);
  const text = useQuery({
    queryKey: ["docs", path],
    queryFn: () => TEXTS[`../../../../../docs/${path}.md`]?.() ?? "",
    staleTime: Infinity,
    enabled: page !== undefined,
  });
  const blocks = useMemo(() => parse(text.data ?? "").slice(1), [text.data]); // its heading is the page's
  useEffect(() => {
    if (blocks.length > 0 && hash !== "") document.getElementById(decodeURIComponent(hash.slice(1)))?.scrollIntoView();
  }, [blocks, hash]);
  if (page === undefined) {
    return (
      <EmptyState
        page
        icon={FileQuestion}
        title={t.noPage}
        actions={<ButtonLink to="/docs">{t.pages}</ButtonLink>}
      >
        {t.noPageHint}
      </EmptyState>
    );
  }
  return (
    <Page title={page.title} crumbs={[{ label: t.title, to: "/docs" }]}>
      <div className="grid gap-8 xl:grid-cols-[minmax(0,1fr)_13rem]">
        <article className="grid grid-cols-[minmax(0,1fr)] content-start gap-3 text-sm leading-6">
          {text.data === undefined
            ? <Skeleton className="h-96" />
            : <Blocks blocks={blocks} place={{ target: (link) => targetOf(path, link, KNOWN) }} />}
        </article>
        {page.headings.length > 1 && (
          <nav
            aria-label={t.onThisPage}
            className="sticky top-20 hidden max-h-[80vh] self-start overflow-auto xl:block"
          >
            <p className="mb-1 text-xs font-medium text-muted">{t.onThisPage}</p>
            <ul className="text-sm">
              {page.headings.map(({ text: heading, slug }) => (
                <li key={slug} className="py-0.5">
                  <Link to={`#${slug}`} className="rounded-sm text-muted hover:text-text hover:underline">
                    {heading}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
        )}
      </div>
    </Page>
  );
}
