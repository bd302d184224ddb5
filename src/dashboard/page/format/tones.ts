/** The meaning of a colour: `good`, `warning` and `bad` judge, `accent` draws attention, `neutral` has none. */
export type Tone = "good" | "warning" | "bad" | "accent" | "neutral";
