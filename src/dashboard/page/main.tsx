import { QueryClientProvider } from "@tanstack/preact-query";
import { type JSX, render } from "preact";
import { Router } from "wouter-preact";
import { createQueryClient } from "./api/query-client.ts";
import { useSession } from "./api/session.ts";
import { ErrorNotice } from "./components/states.tsx";
import { Brand, Shell } from "./shell.tsx";
import { SignIn } from "./sign-in.tsx";
import { applyTheme } from "./theme.tsx";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/components.css";
import "./styles/tables.css";
import "./styles/forms.css";
import "./styles/charts.css";
import "./styles/overview.css";

function App(): JSX.Element | null {
  const { data: session, error, refetch } = useSession();
  if (error !== null && session === undefined) {
    return (
      <main class="sign-in">
        <div class="stack">
          <h1 class="sign-in-title">
            <Brand /> Sluice
          </h1>
          <ErrorNotice error={error} onRetry={() => void refetch()} />
        </div>
      </main>
    );
  }
  if (session === undefined) return null;
  return session === null ? <SignIn /> : <Shell session={session} />;
}

applyTheme();
const root = document.getElementById("app");
if (root) {
  render(
    <QueryClientProvider client={createQueryClient()}>
      <Router base="/dashboard">
        <App />
      </Router>
    </QueryClientProvider>,
    root,
  );
}
