import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { formatTimeZone } from "../format/times.ts";
import { Freshness } from "./freshness.tsx";

interface PageProps {
  readonly title: string;
  /** Controls beside the title, such as the choice of a period. */
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A page: its title, which is also the title of the document, and its content. A new page moves the focus to its title. */
export function Page({ title, actions, children }: PageProps): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Sluice`;
    heading.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          <p class="page-note">
            <Freshness /> Times in {formatTimeZone()}
          </p>
        </div>
        {actions !== undefined && <div class="row">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

interface CardProps {
  readonly title: string;
  /** Controls at the end of the head. */
  readonly actions?: ComponentChildren;
  /** Whether the content has no padding, as a table needs it. */
  readonly isFlush?: boolean;
  readonly children: ComponentChildren;
}

/** A titled part of a page. */
export function Card({ title, actions, isFlush = false, children }: CardProps): JSX.Element {
  const id = useId();
  return (
    <section class="card" aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        {actions !== undefined && <div class="row">{actions}</div>}
      </div>
      {isFlush ? children : <div class="card-body">{children}</div>}
    </section>
  );
}

interface StatProps {
  readonly label: string;
  readonly children: ComponentChildren;
  /** States the content of the number, or how it has changed. */
  readonly hint?: ComponentChildren;
}

/** One number in a row of `Stats`. */
export function Stat({ label, children, hint }: StatProps): JSX.Element {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd class="stat-value">{children}</dd>
      {hint !== undefined && <dd class="stat-hint">{hint}</dd>}
    </div>
  );
}

/** A row of important numbers. */
export function Stats({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <dl class="stats">{children}</dl>;
}
