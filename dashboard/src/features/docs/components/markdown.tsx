import { createElement, type ReactNode } from "react";
import { Link } from "react-router";
import { Code, CodeBlock } from "@/components/code-block";
import type { Block, Inline } from "@/features/docs/lib/markdown";

export interface Place {
  /** Where a link leads; `null`: nowhere that is here. */
  target: (link: string) => string | { href: string } | null;
}

export function Blocks({ blocks, place }: { blocks: readonly Block[]; place: Place }) {
  return <>{blocks.map((block, index) => <One key={index} block={block} place={place} />)}</>;
}

const HEADINGS = ["text-2xl", "mt-6 text-lg", "mt-4 text-base", "mt-3 text-sm", "text-sm", "text-sm"];

function One({ block, place }: { block: Block; place: Place }): ReactNode {
  switch (block.kind) {
    case "heading":
      return createElement(
        `h${block.level}`,
        { id: block.slug, className: `scroll-mt-20 font-semibold ${HEADINGS[block.level - 1] ?? ""}` },
        <Words words={block.children} place={place} />,
      );
    case "paragraph":
      return block.children.length > 0 && (
        <p>
          <Words words={block.children} place={place} />
        </p>
      );
    case "code":
      return <CodeBlock code={block.text} />;
    case "quote":
      return (
        <blockquote className="grid gap-2 border-l-2 pl-3 text-muted">
          <Blocks blocks={block.children} place={place} />
        </blockquote>
      );
    case "list": {
      const items = block.items.map((item, index) => (
        <li key={index}>
          <div className="grid grid-cols-[minmax(0,1fr)] gap-2">
            <Blocks blocks={item} place={place} />
          </div>
        </li>
      ));
      return block.ordered
        ? <ol className="grid list-decimal gap-1 pl-5">{items}</ol>
        : <ul className="grid list-disc gap-1 pl-5">{items}</ul>;
    }
    case "table":
      return (
        <div tabIndex={0} className="overflow-x-auto rounded-lg border">
          <table className="w-full border-collapse text-left text-sm [overflow-wrap:break-word]">
            <thead className="bg-sunken">
              <tr>
                {block.head.map((cell, index) => (
                  <th key={index} scope="col" className="border-b px-3 py-2 font-medium">
                    <Words words={cell} place={place} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index} className="border-b align-top last:border-b-0">
                  {row.map((cell, column) => (
                    <td key={column} className="px-3 py-2">
                      <Words words={cell} place={place} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function Words({ words, place }: { words: readonly Inline[]; place: Place }): ReactNode {
  return words.map((word, index) => {
    switch (word.kind) {
      case "text":
        return word.text;
      case "code":
        return <Code key={index}>{word.text}</Code>;
      case "strong":
        return (
          <strong key={index}>
            <Words words={word.children} place={place} />
          </strong>
        );
      case "emphasis":
        return (
          <em key={index}>
            <Words words={word.children} place={place} />
          </em>
        );
      case "link": {
        const target = place.target(word.to);
        const text = <Words words={word.children} place={place} />;
        if (target === null) return <span key={index}>{text}</span>;
        const look = "rounded-sm text-accent underline decoration-accent/40 hover:decoration-accent";
        return typeof target === "string"
          ? <Link key={index} to={`/docs/${target}`} className={look}>{text}</Link>
          : <a key={index} href={target.href} target="_blank" rel="noreferrer" className={look}>{text}</a>;
      }
    }
  });
}
