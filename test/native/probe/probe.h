/* What the test program and the tests share. */
#include "native/bpf/kernel.h"

/* One packet as the ring carries it. */
struct SHARED probe_event {
	__u64 time_ns;
	__u32 length;
	__u32 interface;
	__u8  note[16];
};
SHARED_TYPE(struct, probe_event);

/* A key and a value with every type a layout may have. */
struct SHARED probe_key {
	__u32 number;
	__u16 port;
	__u8  protocol;
	__u8  pad[1];
};

struct SHARED probe_count {
	__u64 packets;
	__u64 sizes[2];
};

enum probe_verdict {
	PROBE_PASSED = 1,
	PROBE_REFUSED = 2,
};
SHARED_TYPE(enum, probe_verdict);
