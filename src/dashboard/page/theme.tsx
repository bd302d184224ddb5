import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "./components/controls.tsx";

const STORAGE_KEY = "sluice-theme";
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const LABELS: Readonly<Record<Theme, string>> = {
  auto: "System theme",
  light: "Light theme",
  dark: "Dark theme",
};

/** Sent on `window` after the colours have changed, so that charts are drawn again. */
export const THEME_CHANGE = "sluice-theme-change";

function readTheme(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(STORAGE_KEY)) ?? "auto";
  } catch {
    // The browser blocks storage.
    return "auto";
  }
}

/** Applies the theme that was chosen in this browser. The theme is the only thing that the dashboard stores there. */
export function applyTheme(theme: Theme = readTheme()): void {
  document.documentElement.dataset["theme"] = theme;
  dispatchEvent(new Event(THEME_CHANGE));
}

/** A button that switches between the theme of the system, light and dark. */
export function ThemeButton(): JSX.Element {
  const [theme, setTheme] = useState(readTheme);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const redraw = (): void => void dispatchEvent(new Event(THEME_CHANGE));
    query.addEventListener("change", redraw);
    return () => query.removeEventListener("change", redraw);
  }, []);
  const change = (): void => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "auto";
    try {
      localStorage.setItem(STORAGE_KEY, next);
    } catch {
      // Without storage, the choice lasts until the page is closed.
    }
    setTheme(next);
    applyTheme(next);
  };
  return (
    <Button kind="plain" size="small" onClick={change}>
      {LABELS[theme]}
    </Button>
  );
}
