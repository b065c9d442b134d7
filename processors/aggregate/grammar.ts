/**
 * The grammar of a metric as users and presets write it, and its JSON schema.
 *
 * Metrics are data: what OpenTelemetry, Retina or Hubble call a thing stands in YAML files of this
 * grammar.
 */
import type { Expression } from '../parse.ts'

/** Presets hold parsed expressions, users write text (`processors/parse.ts` says why). */
export type Written = string | number | Expression

export interface MetricConfig {
  readonly name: string
  readonly from: string | readonly string[]
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly unit?: string
  readonly description?: string
  /** Default: 1, which counts rows. */
  readonly value?: Written
  /** One series per entry: the label has the entry's name, the value is the entry's expression. */
  readonly spread?: { readonly label: string; readonly values: Readonly<Record<string, Written>> }
  readonly by?: readonly string[] | Readonly<Record<string, string | LabelConfig>>
  readonly where?: Written
  readonly buckets?: readonly number[]
  readonly series_max?: number
}

export interface LabelConfig {
  readonly column: string
  /** `protocol_names`, `address_family`, or words by value. */
  readonly map?: string | Readonly<Record<string, string | number | boolean>>
  /** For values that the map lacks; default: an empty label, which exporters leave out. */
  readonly else?: string
}

const text = (description: string) => ({ type: 'string', description })
const expression = (description: string) => ({ type: ['string', 'number'], description })

export const METRIC_SCHEMA = {
  type: 'object',
  required: ['name', 'from', 'type'],
  additionalProperties: false,
  properties: {
    name: {
      ...text(
        'Dotted OpenTelemetry name without unit. A preset’s metric of this name is replaced.',
      ),
      pattern: '^[a-zA-Z][a-zA-Z0-9_./-]*$',
    },
    from: {
      description: 'Table, or tables, whose rows count.',
      anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
    },
    type: { enum: ['counter', 'gauge', 'histogram'] },
    unit: text('UCUM: `By`, `s`, `{packet}`.'),
    description: text('One sentence.'),
    value: expression('Column or expression; default 1, which counts rows.'),
    spread: {
      type: 'object',
      description: 'Several values of one row as one metric with a label: flags, kinds of errors.',
      required: ['label', 'values'],
      additionalProperties: false,
      properties: {
        label: text('Name of the label.'),
        values: {
          type: 'object',
          minProperties: 1,
          additionalProperties: expression('Column or expression.'),
        },
      },
    },
    by: {
      description: 'Labels: a list of columns, or label names with their columns.',
      anyOf: [
        { type: 'array', items: { type: 'string' } },
        {
          type: 'object',
          additionalProperties: {
            anyOf: [
              { type: 'string' },
              {
                type: 'object',
                required: ['column'],
                additionalProperties: false,
                properties: {
                  column: text('Column.'),
                  map: {
                    description: '`protocol_names`, `address_family`, or words by value.',
                    anyOf: [
                      { enum: ['protocol_names', 'address_family'] },
                      {
                        type: 'object',
                        additionalProperties: { type: ['string', 'number', 'boolean'] },
                      },
                    ],
                  },
                  else: text('Word for values that the map lacks.'),
                },
              },
            ],
          },
        },
      ],
    },
    where: expression('Only rows for which this is true count.'),
    buckets: {
      type: 'array',
      items: { type: 'number' },
      minItems: 1,
      description: 'Histogram: upper bounds, ascending.',
    },
    series_max: {
      type: 'integer',
      minimum: 1,
      description: 'Series of this metric; default: the option of the same name.',
    },
  },
} as const
