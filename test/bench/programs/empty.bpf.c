// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What does a tc program cost that does nothing?
 * Hook: tc.  Oldest kernel: 5.10.
 * Cost: the test-run loop's own; what others cost is measured above it.
 */
#include "native/bpf/kernel.h"

SEC("tc") int empty(struct __sk_buff *skb)
{
	return -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
