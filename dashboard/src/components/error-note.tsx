// What went wrong and what to do, where it went wrong; and the net under a page that breaks.
import { CircleAlert } from "lucide-react";
import { Component, type ReactNode } from "react";
import { ApiError, messageOf } from "@/lib/api/errors";
import { useMessages } from "@/lib/i18n/language";
import { Button } from "@/components/button";
import { messages } from "@/components/messages";

export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const t = useMessages(messages);
  const id = error instanceof ApiError && error.status >= 500 ? error.requestId : undefined;
  return (
    <div
      role="alert"
      className="flex items-start gap-2.5 rounded-lg border border-bad/30 bg-bad-soft px-3 py-2.5 text-sm"
    >
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 flex-1">
        <p>{messageOf(error)}</p>
        {id && <p className="mt-1 text-xs text-muted">{t.requestId(id)}</p>}
      </div>
      {onRetry && <Button size="sm" onClick={onRetry}>{t.retry}</Button>}
    </div>
  );
}

interface BoundaryProps {
  children: ReactNode;
  /** When it changes, what broke gets another chance. */
  resetKey?: unknown;
}

export class ErrorBoundary extends Component<BoundaryProps, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override componentDidUpdate(before: BoundaryProps) {
    if (before.resetKey !== this.props.resetKey && this.state.error !== null) this.setState({ error: null });
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <Broken error={this.state.error} onRetry={() => this.setState({ error: null })} />;
  }
}

export function Broken({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const t = useMessages(messages);
  return (
    <div className="mx-auto grid max-w-lg gap-3 py-16 text-center">
      <h2 className="text-lg font-semibold">{t.broken}</h2>
      <p className="text-sm text-muted">{t.brokenHint}</p>
      <pre className="overflow-x-auto rounded-md bg-sunken p-3 text-left font-mono text-xs">{messageOf(error)}</pre>
      <div className="flex justify-center gap-2">
        {onRetry && <Button onClick={onRetry}>{t.retry}</Button>}
        <Button onClick={() => location.reload()}>{t.reload}</Button>
      </div>
    </div>
  );
}
