// Where an address leads nowhere, and where a page breaks.
import { Compass } from "lucide-react";
import { isRouteErrorResponse, useRouteError } from "react-router";
import { messages } from "@/app/messages";
import { ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Broken } from "@/components/error-note";
import { useMessages } from "@/lib/i18n/language";
import { useTitle } from "@/lib/title";

export function NotFound() {
  const t = useMessages(messages);
  useTitle(t.notFound);
  return (
    <EmptyState
      page
      icon={Compass}
      title={t.notFound}
      actions={<ButtonLink to="/" look="primary">{t.home}</ButtonLink>}
    >
      {t.notFoundHint}
    </EmptyState>
  );
}

export function RouteBroken() {
  const error = useRouteError();
  if (isRouteErrorResponse(error) && error.status === 404) return <NotFound />;
  return <Broken error={error} />;
}
