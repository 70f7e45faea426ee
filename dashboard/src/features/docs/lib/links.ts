// Where a link in the documentation leads: to another page of it, into the page, or out to the web.

/** `page` is the one it stands on, `bindings/db`; pages are named so, without `.md`. Nothing: to no page that is here. */
export function targetOf(page: string, link: string, pages: ReadonlySet<string>): string | { href: string } | null {
  if (/^https?:\/\//.test(link)) return { href: link };
  const [path = "", hash] = link.split("#");
  const anchor = hash === undefined ? "" : `#${hash}`;
  if (path === "") return `${page}${anchor}`;
  const parts = page.split("/").slice(0, -1);
  for (const part of path.replace(/\.md$/, "").split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const target = parts.join("/");
  return path.endsWith(".md") && pages.has(target) ? `${target}${anchor}` : null;
}
