import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { useSearchParams } from "wouter-preact";
import type { ModelJson, ModelsJson } from "../../../admin/model-json.ts";
import { useApi } from "../api/use-api.ts";
import { Button } from "../components/controls.tsx";
import { downloadCsv } from "../components/download.ts";
import { Card, Page } from "../components/layout.tsx";
import { Badge, Empty, Loaded, Notice } from "../components/states.tsx";
import { type Column, Table } from "../components/table.tsx";
import { useUrlParams } from "../components/use-url-params.ts";
import { Age, Name } from "../components/values.tsx";
import { formatCompact, formatCount } from "../format/numbers.ts";
import { ModelFilters } from "./model-filters.tsx";
import {
  filterModels,
  formatOrder,
  MODEL_PARAMS,
  type ModelOrder,
  parseOrder,
  sortModels,
} from "./model-filter.ts";
import { ModelDetails } from "./model-details.tsx";
import { formatPrice, getMillionPrice, isFree } from "./prices.ts";
import "./models.css";

/** More rows make the page slow to draw, and nobody reads them. */
const SHOWN_MAX = 100;

const COLUMNS: readonly Column<ModelJson>[] = [
  {
    id: "name",
    header: "Model",
    isSortable: true,
    render: (model) => (
      <span class="model-name">
        <span>{model.name}</span>
        <span class="muted small">{model.id}</span>
      </span>
    ),
  },
  priceColumn("input_price", "Input / M", "prompt"),
  priceColumn("output_price", "Output / M", "completion"),
  {
    id: "context",
    header: "Context",
    isNumber: true,
    isSortable: true,
    render: ({ context_length: tokens }) => (
      <span title={`${formatCount(tokens)} tokens`}>{formatCompact(tokens)}</span>
    ),
  },
  {
    id: "completion",
    header: "Max output",
    isNumber: true,
    isSortable: true,
    render: ({ max_completion_tokens: tokens }) => (
      <span title={`${formatCount(tokens)} tokens`}>{formatCompact(tokens)}</span>
    ),
  },
  {
    id: "modalities",
    header: "Input → output",
    render: ({ input_modalities: inputs, output_modalities: outputs }) => (
      <Name text={`${inputs.join(", ")} → ${outputs.join(", ")}`} />
    ),
  },
  {
    id: "created",
    header: "Listed",
    isNumber: true,
    isSortable: true,
    render: ({ created_at }) => (created_at === null ? "–" : <Age at={created_at} />),
  },
];

function priceColumn(id: string, header: string, field: string): Column<ModelJson> {
  return {
    id,
    header,
    isNumber: true,
    isSortable: true,
    render: ({ pricing }) => {
      const price = getMillionPrice(pricing, field);
      if (price !== 0) return formatPrice(price);
      // A model without a price for its tokens can charge for images or searches.
      return isFree(pricing) ? <Badge tone="good">free</Badge> : "$0";
    },
  };
}

/** The models of OpenRouter's catalogue, with their prices and limits. */
export function ModelsPage(): JSX.Element {
  const { params, setParams } = useUrlParams(MODEL_PARAMS);
  const query = useApi<ModelsJson>("/models", { key: params.key }, { isLive: false });
  const order = parseOrder(params.sort);
  const models = sortModels(filterModels(query.data?.data ?? [], params), order);
  const selected = query.data?.data.find(({ id }) => id === params.model);
  return (
    <Page
      title="Models"
      actions={
        <Button disabled={models.length === 0} onClick={() => downloadModels(models)}>
          Download CSV
        </Button>
      }
    >
      {params.key !== undefined && (
        <Notice>
          <span>Only the models that the key “{params.key}” may use.</span>
          <Button size="small" onClick={() => setParams({ key: undefined })}>
            Show all models
          </Button>
        </Notice>
      )}
      <Card title="Catalogue" isFlush>
        <div class="card-body">
          <ModelFilters
            models={query.data?.data ?? []}
            params={params}
            onChange={(changes) => setParams(changes, { replace: true })}
          />
        </div>
        <Loaded query={query} lines={12}>
          {({ data, fetched_at }) => (
            <>
              <p class="card-body muted small" role="status">
                {models.length === data.length
                  ? `${formatCount(data.length)} models`
                  : `${formatCount(models.length)} of ${formatCount(data.length)} models`}
                , as OpenRouter listed them <Age at={fetched_at} />. Prices in US dollars per million tokens.
              </p>
              <ModelTable
                models={models}
                order={order}
                onOrder={(next) => setParams({ sort: formatOrder(next) }, { replace: true })}
              />
            </>
          )}
        </Loaded>
      </Card>
      {selected !== undefined && (
        <ModelDetails model={selected} onClose={() => setParams({ model: undefined })} />
      )}
    </Page>
  );
}

interface ModelTableProps {
  readonly models: readonly ModelJson[];
  readonly order: ModelOrder;
  readonly onOrder: (order: ModelOrder) => void;
}

function ModelTable({ models, order, onOrder }: ModelTableProps): JSX.Element {
  const [search] = useSearchParams();
  const [isWhole, setIsWhole] = useState(false);
  if (models.length === 0)
    return <Empty title="No model matches">Change or remove a filter to see more models.</Empty>;
  const toHref = ({ id }: ModelJson): string => {
    const next = new URLSearchParams(search);
    next.set("model", id);
    return `/models?${next.toString()}`;
  };
  const shown = isWhole ? models : models.slice(0, SHOWN_MAX);
  return (
    <>
      <Table
        caption="Models"
        columns={COLUMNS}
        rows={shown}
        toKey={({ id }) => id}
        toHref={toHref}
        order={order}
        onOrder={onOrder}
      />
      {shown.length < models.length && (
        <div class="pager">
          <span>
            Showing {shown.length} of {formatCount(models.length)} models
          </span>
          <Button size="small" onClick={() => setIsWhole(true)}>
            Show all
          </Button>
        </div>
      )}
    </>
  );
}

const CSV_HEAD = [
  "id",
  "name",
  "prompt_usd_per_million_tokens",
  "completion_usd_per_million_tokens",
  "context_length",
  "max_completion_tokens",
  "input_modalities",
  "output_modalities",
  "created_at",
];

function downloadModels(models: readonly ModelJson[]): void {
  downloadCsv(
    "models",
    CSV_HEAD,
    models.map((model) => [
      model.id,
      model.name,
      toCsvPrice(getMillionPrice(model.pricing, "prompt")),
      toCsvPrice(getMillionPrice(model.pricing, "completion")),
      model.context_length,
      model.max_completion_tokens,
      model.input_modalities.join(" "),
      model.output_modalities.join(" "),
      model.created_at,
    ]),
  );
}

/** A price that varies has no number. */
function toCsvPrice(usd: number | undefined): number | null {
  return usd === undefined || usd < 0 ? null : usd;
}
