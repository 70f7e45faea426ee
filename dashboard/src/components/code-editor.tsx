// Monaco, loaded with the first editor on a page.
import { lazy, Suspense } from "react";
import type { CodeEditorProps } from "@/components/monaco/editor";
import { Skeleton } from "@/components/values";

const Monaco = lazy(() => import("@/components/monaco/editor"));

export type { CodeEditorProps };

export function CodeEditor(props: CodeEditorProps) {
  return (
    <Suspense fallback={<Skeleton className="h-full min-h-40 w-full" />}>
      <Monaco {...props} />
    </Suspense>
  );
}
