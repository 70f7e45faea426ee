// Made by vite.config.ts of the pages in docs/.
declare module "virtual:docs" {
  const pages: readonly {
    /** Below docs/, without `.md`. */
    path: string;
    title: string;
    /** Whether it is about using the box, running it, or changing it. */
    group: "use" | "run" | "change";
    headings: readonly { text: string; slug: string }[];
  }[];
  export default pages;
}
