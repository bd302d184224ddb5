import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Link, Redirect, Route, Switch, useLocation } from "wouter-preact";
import { type Session, useSessionActions } from "./api/session.ts";
import { Button } from "./components/controls.tsx";
import { Icon, type IconName } from "./components/icons.tsx";
import { Page } from "./components/layout.tsx";
import { PageBoundary } from "./components/page-boundary.tsx";
import { Empty, Notice } from "./components/states.tsx";
import { HealthPage } from "./health/health-page.tsx";
import { KeyPage } from "./keys/key-page.tsx";
import { KeysPage } from "./keys/keys-page.tsx";
import { ModelsPage } from "./models/models-page.tsx";
import { OverviewPage } from "./overview/overview-page.tsx";
import { RequestPage } from "./requests/request-page.tsx";
import { RequestsPage } from "./requests/requests-page.tsx";
import { ThemeChoice } from "./theme.tsx";

const SECTIONS: readonly (readonly [path: string, label: string, icon: IconName])[] = [
  ["/overview", "Overview", "overview"],
  ["/requests", "Requests", "requests"],
  ["/keys", "Keys", "keys"],
  ["/models", "Models", "models"],
  ["/health", "Health", "health"],
];

/** The frame of all pages: navigation, session, and the page that the URL names. */
export function Shell({ session }: { session: Session }): JSX.Element {
  const [location] = useLocation();
  return (
    <div class="shell">
      <a class="skip-link" href="#main">
        Skip to content
      </a>
      <header class="sidebar">
        <Link class="brand" href="/overview">
          <Brand /> Sluice
        </Link>
        <Navigation />
        <SessionPanel session={session} />
      </header>
      <main class="main" id="main">
        <PageBoundary key={location}>
          <Switch>
            <Route path="/">
              <Redirect to="/overview" replace />
            </Route>
            <Route path="/overview" component={OverviewPage} />
            <Route path="/requests" component={RequestsPage} />
            <Route path="/requests/:id">{({ id }) => <RequestPage id={id} />}</Route>
            <Route path="/keys" component={KeysPage} />
            <Route path="/keys/:id">{({ id }) => <KeyPage id={id} />}</Route>
            <Route path="/models" component={ModelsPage} />
            <Route path="/health" component={HealthPage} />
            <Route>
              <Page title="No such page">
                <Empty title="This address has no page">Choose a page in the navigation.</Empty>
              </Page>
            </Route>
          </Switch>
        </PageBoundary>
      </main>
    </div>
  );
}

/** The mark of Sluice: a gate in a stream. */
export function Brand(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#0b62c4" />
      <path d="M7 11h18M7 16h11M7 21h18" stroke="#fff" stroke-width="3" stroke-linecap="round" />
      <path d="M22 7v18" stroke="#9fd0ff" stroke-width="3" stroke-linecap="round" />
    </svg>
  );
}

function Navigation(): JSX.Element {
  const [location] = useLocation();
  return (
    <nav class="navigation" aria-label="Pages">
      {SECTIONS.map(([path, label, icon]) => (
        <Link
          key={path}
          href={path}
          {...((location === path || location.startsWith(`${path}/`)) && { "aria-current": "page" as const })}
        >
          <Icon name={icon} /> {label}
        </Link>
      ))}
      <a href="/docs">
        <Icon name="reference" /> API reference
      </a>
    </nav>
  );
}

function SessionPanel({ session }: { session: Session }): JSX.Element {
  const { signOut } = useSessionActions();
  const [error, setError] = useState<string>();
  const end = (): void => void signOut().catch((failure: Error) => setError(failure.message));
  return (
    <div class="sidebar-end">
      <ThemeChoice />
      <span class="session-name">
        <span class="muted">Signed in with the key </span>
        <strong title={session.key_name}>{session.key_name}</strong>
      </span>
      {error !== undefined && <Notice tone="bad">Not signed out. {error}</Notice>}
      <Button size="small" onClick={end}>
        Sign out
      </Button>
    </div>
  );
}
