// Written by `node native/build.ts bpf` from the BTF of flows.bpf.o; never edited by hand.

/** Equals `BpfObject.btfHash` of the object these offsets belong to. */
export const btfHash = 'ffe30ca9e4d39d70'

/** struct flow_key */
export const flowKey = {
  size: 48,
  fields: {
    source_address: { offset: 0, type: 'bytes', length: 16 },
    destination_address: { offset: 16, type: 'bytes', length: 16 },
    source_port: { offset: 32, type: 'u16', length: 1 },
    destination_port: { offset: 34, type: 'u16', length: 1 },
    protocol: { offset: 36, type: 'u8', length: 1 },
    icmp_type: { offset: 37, type: 'u8', length: 1 },
    icmp_code: { offset: 38, type: 'u8', length: 1 },
    fragment: { offset: 39, type: 'u8', length: 1 },
    interface: { offset: 40, type: 'u32', length: 1 },
    direction: { offset: 44, type: 'u8', length: 1 },
    duplicate: { offset: 45, type: 'u8', length: 1 },
    pad: { offset: 46, type: 'bytes', length: 2 },
  },
} as const

/** struct flow_count */
export const flowCount = {
  size: 96,
  fields: {
    packets: { offset: 0, type: 'u64', length: 1 },
    bytes: { offset: 8, type: 'u64', length: 1 },
    last_ns: { offset: 16, type: 'u64', length: 1 },
    handshake_us: { offset: 24, type: 'u32', length: 1 },
    tcp_flags: { offset: 28, type: 'u16', length: 1 },
    initiator: { offset: 30, type: 'u8', length: 1 },
    awaits_ack: { offset: 31, type: 'u8', length: 1 },
    first_ns: { offset: 32, type: 'u64', length: 1 },
    syn_ns: { offset: 40, type: 'u64', length: 1 },
    flow_starts: { offset: 48, type: 'u32', length: 1 },
    syn: { offset: 52, type: 'u32', length: 1 },
    syn_ack: { offset: 56, type: 'u32', length: 1 },
    fin: { offset: 60, type: 'u32', length: 1 },
    rst: { offset: 64, type: 'u32', length: 1 },
    urg: { offset: 68, type: 'u32', length: 1 },
    ece: { offset: 72, type: 'u32', length: 1 },
    cwr: { offset: 76, type: 'u32', length: 1 },
    pad: { offset: 80, type: 'bytes', length: 16 },
  },
} as const

/** struct other_key */
export const otherKey = {
  size: 8,
  fields: {
    interface: { offset: 0, type: 'u32', length: 1 },
    cause: { offset: 4, type: 'u8', length: 1 },
    protocol: { offset: 5, type: 'u8', length: 1 },
    direction: { offset: 6, type: 'u8', length: 1 },
    duplicate: { offset: 7, type: 'u8', length: 1 },
  },
} as const

/** struct other_count */
export const otherCount = {
  size: 32,
  fields: {
    packets: { offset: 0, type: 'u64', length: 1 },
    bytes: { offset: 8, type: 'u64', length: 1 },
    first_ns: { offset: 16, type: 'u64', length: 1 },
    last_ns: { offset: 24, type: 'u64', length: 1 },
  },
} as const

/** struct frame_count */
export const frameCount = {
  size: 16,
  fields: {
    packets: { offset: 0, type: 'u64', length: 1 },
    bytes: { offset: 8, type: 'u64', length: 1 },
  },
} as const

/** enum flow_direction */
export const flowDirection = {
  INTO_ENDPOINT: 1,
  OUT_OF_ENDPOINT: 2,
} as const

/** enum flow_initiator */
export const flowInitiator = {
  INITIATOR_UNKNOWN: 0,
  INITIATOR_SOURCE: 1,
  INITIATOR_DESTINATION: 2,
} as const

/** enum other_cause */
export const otherCause = {
  TABLE_FULL: 1,
  UNREADABLE_HEADER: 2,
} as const

/** enum frame_counter */
export const frameCounter = {
  FRAMES_NOT_IP: 0,
  FRAMES_LOST: 1,
  FRAME_COUNTERS: 2,
} as const

/** enum watched_link */
export const watchedLink = {
  WATCHED: 1,
  COVERED: 2,
} as const
