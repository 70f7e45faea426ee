import { useEffect } from "react";

/** The window's title while a page is shown. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · V8Box`;
  }, [title]);
}
