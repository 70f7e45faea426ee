// Made by vite.config.ts of the pages in docs/.
declare module "virtual:docs" {
  const pages: readonly {
    /** Below docs/, without `.md`. */
    path: string;
    title: string;
    headings: readonly { text: string; slug: string }[];
  }[];
  export default pages;
}
