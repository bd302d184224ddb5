import type { UseQueryResult } from "@tanstack/preact-query";
import type { ComponentChildren, JSX } from "preact";
import type { ApiError } from "../api/request.ts";
import type { Tone } from "../format/tones.ts";
import { Button } from "./controls.tsx";

/** A word or two about a state. The word carries the meaning; the colour repeats it. */
export function Badge({
  tone = "neutral",
  children,
}: {
  tone?: Tone;
  children: ComponentChildren;
}): JSX.Element {
  return <span class={`badge tone-${tone}`}>{children}</span>;
}

interface NoticeProps {
  readonly tone?: Tone;
  readonly children: ComponentChildren;
}

/** A message about the page or a part of it. Screen readers read a bad one at once. */
export function Notice({ tone = "neutral", children }: NoticeProps): JSX.Element {
  return (
    <div class={`notice tone-${tone}`} role={tone === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}

interface EmptyProps {
  readonly title: string;
  /** The reason, and how to change it. */
  readonly children?: ComponentChildren;
}

/** Shown in place of a list that has no entries. */
export function Empty({ title, children }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children !== undefined && <div>{children}</div>}
    </div>
  );
}

/** Shown in place of content that is loading. @param lines height in lines of text. */
export function Skeleton({ lines = 4 }: { lines?: number }): JSX.Element {
  return (
    <div class="stack card-body" aria-busy="true">
      <span class="visually-hidden" role="status">
        Loading
      </span>
      {Array.from({ length: lines }, (_, line) => (
        <span class="skeleton" key={line} />
      ))}
    </div>
  );
}

/** The message of a failed request, with a button that sends it again. */
export function ErrorNotice({ error, onRetry }: { error: ApiError; onRetry?: () => void }): JSX.Element {
  return (
    <Notice tone="bad">
      <strong>{error.status === 0 ? "No response" : `Error ${error.status}`}</strong>
      <span>{error.message}</span>
      {onRetry !== undefined && (
        <Button size="small" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Notice>
  );
}

interface LoadedProps<T> {
  readonly query: UseQueryResult<T, ApiError>;
  /** Height of the skeleton in lines of text. */
  readonly lines?: number;
  readonly children: (data: T) => ComponentChildren;
}

/**
 * Shows the data of a query, or that it is loading, or why it could not be read. If a refresh fails, the old data stays below
 * the error.
 */
export function Loaded<T>({ query, lines = 4, children }: LoadedProps<T>): JSX.Element {
  const { data, error, refetch } = query;
  return (
    <>
      {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      {data !== undefined ? children(data) : error === null && <Skeleton lines={lines} />}
    </>
  );
}
