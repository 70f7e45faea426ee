// Where an address leads nowhere, and where a page breaks.
import { Compass } from "lucide-react";
import { isRouteErrorResponse, useRouteError } from "react-router";
import { messages } from "@/app/messages";
import { ButtonLink } from "@/components/button";
import { EmptyState } from "@/components/empty-state";
import { Broken } from "@/components/error-note";
import { Page } from "@/components/layout";
import { useMessages } from "@/lib/i18n/language";

export function NotFound() {
  const t = useMessages(messages);
  return (
    <Page title={t.notFound} heading={<span className="sr-only">{t.notFound}</span>}>
      <EmptyState icon={Compass} title={t.notFound} actions={<ButtonLink to="/" look="primary">{t.home}</ButtonLink>}>
        {t.notFoundHint}
      </EmptyState>
    </Page>
  );
}

export function RouteBroken() {
  const error = useRouteError();
  if (isRouteErrorResponse(error) && error.status === 404) return <NotFound />;
  return <Broken error={error} />;
}
