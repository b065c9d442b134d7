/**
 * The presets of presets/*.yaml, expressions parsed. Written by test/processors/presets.test.ts
 * with UPDATE=1.
 */
import type { MetricConfig } from './grammar.ts'

export const PRESETS: Readonly<Record<string, readonly MetricConfig[]>> = {
  "otel": [
    {
      "name": "fovea.network.io",
      "from": "flows",
      "type": "counter",
      "unit": "By",
      "description": "Layer-3 bytes on the wire, each packet counted once.",
      "value": "bytes",
      "where": {
        "source": "duplicate == 0",
        "tree": {
          "op": "==",
          "of": [
            {
              "op": "column",
              "name": "duplicate",
              "start": 0,
              "end": 9
            },
            {
              "op": "literal",
              "value": 0,
              "start": 13,
              "end": 14
            }
          ],
          "start": 0,
          "end": 14
        }
      },
      "by": {
        "network.transport": {
          "column": "protocol",
          "map": "protocol_names"
        },
        "network.type": {
          "column": "destination_address",
          "map": "address_family"
        },
        "network.io.direction": {
          "column": "direction",
          "map": {
            "1": "receive",
            "2": "transmit"
          }
        }
      }
    },
    {
      "name": "fovea.network.packets",
      "from": "flows",
      "type": "counter",
      "unit": "{packet}",
      "description": "Packets on the wire, each counted once.",
      "value": "packets",
      "where": {
        "source": "duplicate == 0",
        "tree": {
          "op": "==",
          "of": [
            {
              "op": "column",
              "name": "duplicate",
              "start": 0,
              "end": 9
            },
            {
              "op": "literal",
              "value": 0,
              "start": 13,
              "end": 14
            }
          ],
          "start": 0,
          "end": 14
        }
      },
      "by": {
        "network.transport": {
          "column": "protocol",
          "map": "protocol_names"
        },
        "network.type": {
          "column": "destination_address",
          "map": "address_family"
        },
        "network.io.direction": {
          "column": "direction",
          "map": {
            "1": "receive",
            "2": "transmit"
          }
        }
      }
    },
    {
      "name": "fovea.network.flows",
      "from": "flows",
      "type": "counter",
      "unit": "{flow}",
      "description": "Flows that began, a connection counted once, in the direction of its first packet.",
      "value": "flow_starts",
      "where": {
        "source": "duplicate == 0",
        "tree": {
          "op": "==",
          "of": [
            {
              "op": "column",
              "name": "duplicate",
              "start": 0,
              "end": 9
            },
            {
              "op": "literal",
              "value": 0,
              "start": 13,
              "end": 14
            }
          ],
          "start": 0,
          "end": 14
        }
      },
      "by": {
        "network.transport": {
          "column": "protocol",
          "map": "protocol_names"
        },
        "network.type": {
          "column": "destination_address",
          "map": "address_family"
        },
        "network.io.direction": {
          "column": "direction",
          "map": {
            "1": "receive",
            "2": "transmit"
          }
        }
      }
    },
    {
      "name": "fovea.network.tcp.packets",
      "from": "flows",
      "type": "counter",
      "unit": "{packet}",
      "description": "TCP packets that carried a flag; syn is a SYN without ACK.",
      "where": {
        "source": "duplicate == 0 && protocol == 6",
        "tree": {
          "op": "&&",
          "of": [
            {
              "op": "==",
              "of": [
                {
                  "op": "column",
                  "name": "duplicate",
                  "start": 0,
                  "end": 9
                },
                {
                  "op": "literal",
                  "value": 0,
                  "start": 13,
                  "end": 14
                }
              ],
              "start": 0,
              "end": 14
            },
            {
              "op": "==",
              "of": [
                {
                  "op": "column",
                  "name": "protocol",
                  "start": 18,
                  "end": 26
                },
                {
                  "op": "literal",
                  "value": 6,
                  "start": 30,
                  "end": 31
                }
              ],
              "start": 18,
              "end": 31
            }
          ],
          "start": 0,
          "end": 31
        }
      },
      "spread": {
        "label": "fovea.tcp.flag",
        "values": {
          "syn": "syn",
          "syn_ack": "syn_ack",
          "fin": "fin",
          "rst": "rst",
          "urg": "urg",
          "ece": "ece",
          "cwr": "cwr"
        }
      },
      "by": {
        "network.type": {
          "column": "destination_address",
          "map": "address_family"
        },
        "network.io.direction": {
          "column": "direction",
          "map": {
            "1": "receive",
            "2": "transmit"
          }
        }
      }
    },
    {
      "name": "fovea.network.tcp.handshake.duration",
      "from": "flows",
      "type": "histogram",
      "unit": "s",
      "description": "From SYN to the first ACK, as seen at the link.",
      "value": {
        "source": "handshake_us / 1000000.0",
        "tree": {
          "op": "/",
          "of": [
            {
              "op": "column",
              "name": "handshake_us",
              "start": 0,
              "end": 12
            },
            {
              "op": "literal",
              "value": 1000000,
              "start": 15,
              "end": 24
            }
          ],
          "start": 0,
          "end": 24
        }
      },
      "where": {
        "source": "duplicate == 0 && handshake_us > 0",
        "tree": {
          "op": "&&",
          "of": [
            {
              "op": "==",
              "of": [
                {
                  "op": "column",
                  "name": "duplicate",
                  "start": 0,
                  "end": 9
                },
                {
                  "op": "literal",
                  "value": 0,
                  "start": 13,
                  "end": 14
                }
              ],
              "start": 0,
              "end": 14
            },
            {
              "op": ">",
              "of": [
                {
                  "op": "column",
                  "name": "handshake_us",
                  "start": 18,
                  "end": 30
                },
                {
                  "op": "literal",
                  "value": 0,
                  "start": 33,
                  "end": 34
                }
              ],
              "start": 18,
              "end": 34
            }
          ],
          "start": 0,
          "end": 34
        }
      },
      "buckets": [
        0.0001,
        0.00025,
        0.0005,
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5
      ],
      "by": {
        "network.type": {
          "column": "destination_address",
          "map": "address_family"
        },
        "network.io.direction": {
          "column": "direction",
          "map": {
            "1": "receive",
            "2": "transmit"
          }
        }
      }
    }
  ]
}
