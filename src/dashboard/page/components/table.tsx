import type { ComponentChildren, JSX } from "preact";
import { Link } from "wouter-preact";

/** A column of a table. */
export interface Column<Row> {
  /** Identifies the column, for example as the order in the URL. */
  readonly id: string;
  readonly header: string;
  /** Whether the column contains numbers, which are aligned at their end. */
  readonly isNumber?: boolean;
  readonly render: (row: Row) => ComponentChildren;
  /** Whether readers can sort by this column. */
  readonly isSortable?: boolean;
}

/** The column by which a table is sorted. */
export interface Order {
  readonly column: string;
  readonly isDescending: boolean;
}

interface TableProps<Row> {
  /** Describes the table for screen readers. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly toKey: (row: Row) => string;
  /** Returns the address of the page about a row, to which the content of the first column links; undefined: no page. */
  readonly toHref?: (row: Row) => string | undefined;
  readonly order?: Order;
  readonly onOrder?: (order: Order) => void;
}

/** A table. A narrow screen scrolls it sideways inside its region. */
export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { caption, columns, rows, toKey, toHref, order, onOrder } = props;
  return (
    // The group needs the focus so that the keyboard can scroll it. It is no region: the card around it is one.
    <div class="table-region" role="group" aria-label={caption} tabIndex={0}>
      <table class="table">
        <caption class="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <ColumnHead key={column.id} column={column} order={order} onOrder={onOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <TableRow key={toKey(row)} row={row} columns={columns} href={toHref?.(row)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface TableRowProps<Row> {
  readonly row: Row;
  readonly columns: readonly Column<Row>[];
  readonly href: string | undefined;
}

function TableRow<Row>({ row, columns, href }: TableRowProps<Row>): JSX.Element {
  return (
    <tr class={href === undefined ? "" : "linked"}>
      {columns.map(({ id, isNumber, render }, at) => (
        <td key={id} class={isNumber === true ? "number" : ""}>
          {at === 0 && href !== undefined ? (
            <Link class="row-link" href={href}>
              {render(row)}
            </Link>
          ) : (
            render(row)
          )}
        </td>
      ))}
    </tr>
  );
}

interface ColumnHeadProps<Row> {
  readonly column: Column<Row>;
  readonly order: Order | undefined;
  readonly onOrder: ((order: Order) => void) | undefined;
}

function ColumnHead<Row>({ column, order, onOrder }: ColumnHeadProps<Row>): JSX.Element {
  const { id, header, isNumber, isSortable } = column;
  const className = isNumber === true ? "number" : "";
  if (isSortable !== true || onOrder === undefined) {
    return (
      <th scope="col" class={className}>
        {header}
      </th>
    );
  }
  const isSorted = order?.column === id;
  const isDescending = isSorted && order.isDescending;
  const toggle = (): void =>
    onOrder({ column: id, isDescending: isSorted ? !isDescending : isNumber === true });
  return (
    <th
      scope="col"
      class={className}
      {...(isSorted && { "aria-sort": isDescending ? ("descending" as const) : ("ascending" as const) })}
    >
      <button type="button" onClick={toggle}>
        {header} <span aria-hidden="true">{isSorted ? (isDescending ? "↓" : "↑") : "↕"}</span>
      </button>
    </th>
  );
}
