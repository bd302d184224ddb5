import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

const STORAGE_KEY = "sluice-theme";
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const LABELS: Readonly<Record<Theme, string>> = {
  auto: "System",
  light: "Light",
  dark: "Dark",
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

/** The choice between the theme of the system, light and dark. */
export function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useState(readTheme);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const redraw = (): void => void dispatchEvent(new Event(THEME_CHANGE));
    query.addEventListener("change", redraw);
    return () => query.removeEventListener("change", redraw);
  }, []);
  const change = (next: Theme): void => {
    try {
      localStorage.setItem(STORAGE_KEY, next);
    } catch {
      // Without storage, the choice lasts until the page is closed.
    }
    setTheme(next);
    applyTheme(next);
  };
  return (
    <label class="theme-choice">
      Theme
      <select class="input" value={theme} onChange={(event) => change(event.currentTarget.value as Theme)}>
        {THEMES.map((name) => (
          <option key={name} value={name}>
            {LABELS[name]}
          </option>
        ))}
      </select>
    </label>
  );
}
