import { ExternalLink } from "lucide-react";
import { CopyButton } from "@/components/code-block";
import { safeUrl } from "@/features/pages/lib/urls";

/** The address of a site or a release: opened in another tab, and copied. */
export function SiteLink({ url, copy }: { url: string; copy?: boolean }) {
  return (
    <span className="inline-flex min-w-0 max-w-full items-center gap-1">
      <a
        href={safeUrl(url)}
        target="_blank"
        rel="noreferrer"
        className="inline-flex min-w-0 items-center gap-1 rounded-sm text-accent hover:underline"
      >
        <span className="break-all">{url.replace(/^https?:\/\//, "").replace(/\/$/, "")}</span>
        <ExternalLink aria-hidden className="size-3.5 shrink-0" />
      </a>
      {copy && <CopyButton text={url} />}
    </span>
  );
}
