import { MODEL_FILTERS } from "../endpoints/model-query.ts";

const MEANINGS: Readonly<Record<(typeof MODEL_FILTERS)[number], string>> = {
  q: "Only models whose name or id contains this text",
  category: "Only models of this category of use, such as programming",
  sort: "Order of the list, such as newest or pricing-low-to-high",
  input_modalities: "Only models with these kinds of input, such as text,image",
  output_modalities: "Only models with these kinds of output, such as text; all: every model",
  supported_parameters: "Only models that support these request fields, such as tools,reasoning",
  arch: "Only models of this architecture",
  model_authors: "Only models of these authors, such as openai,google",
  providers: "Only models that these providers serve",
  region: "Only models that are served in this region",
  zdr: "true: only models with an endpoint without data retention",
  distillable: "true: only models whose responses may be used to train other models",
  context: "Only models with at least this context length, in tokens",
  min_price: "Lowest price of the prompt, in US dollars per million tokens",
  max_price: "Highest price of the prompt, in US dollars per million tokens",
  min_output_price: "Lowest price of the completion, in US dollars per million tokens",
  max_output_price: "Highest price of the completion, in US dollars per million tokens",
  min_age_days: "Only models that were added at least this many days ago",
  max_age_days: "Only models that were added at most this many days ago",
  min_intelligence_index: "Lowest index of intelligence, as OpenRouter states it",
  max_intelligence_index: "Highest index of intelligence, as OpenRouter states it",
  min_coding_index: "Lowest index of coding, as OpenRouter states it",
  max_coding_index: "Highest index of coding, as OpenRouter states it",
  min_agentic_index: "Lowest index of agentic tasks, as OpenRouter states it",
  max_agentic_index: "Highest index of agentic tasks, as OpenRouter states it",
  min_tool_success_rate: "Lowest share of tool calls that succeed, as OpenRouter states it",
  max_tool_success_rate: "Highest share of tool calls that succeed, as OpenRouter states it",
};

/** The query parameters that filter or sort the list of models. OpenRouter validates and applies them. */
export const DESCRIBED_FILTERS: readonly { readonly name: string; readonly description: string }[] =
  MODEL_FILTERS.map((name) => ({ name, description: `${MEANINGS[name]}. OpenRouter applies it` }));
