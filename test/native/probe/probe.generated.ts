// Written by `node native/build.ts bpf` from the BTF of probe.bpf.o; never edited by hand.

/** Equals `BpfObject.btfHash` of the object these offsets belong to. */
export const btfHash = '3483216a3bc8915b'

/** struct probe_key */
export const probeKey = {
  size: 8,
  fields: {
    number: { offset: 0, type: 'u32', length: 1 },
    port: { offset: 4, type: 'u16', length: 1 },
    protocol: { offset: 6, type: 'u8', length: 1 },
    pad: { offset: 7, type: 'bytes', length: 1 },
  },
} as const

/** struct probe_count */
export const probeCount = {
  size: 24,
  fields: {
    packets: { offset: 0, type: 'u64', length: 1 },
    sizes: { offset: 8, type: 'u64', length: 2 },
  },
} as const

/** struct probe_event */
export const probeEvent = {
  size: 32,
  fields: {
    time_ns: { offset: 0, type: 'u64', length: 1 },
    length: { offset: 8, type: 'u32', length: 1 },
    interface: { offset: 12, type: 'u32', length: 1 },
    note: { offset: 16, type: 'bytes', length: 16 },
  },
} as const

/** enum probe_verdict */
export const probeVerdict = {
  PROBE_PASSED: 1,
  PROBE_REFUSED: 2,
} as const
