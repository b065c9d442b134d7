// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Does every door of native/ open?  One small program for each kind of attachment, for the tests.
 * Hook: all that native/types.ts offers.  Oldest kernel: 5.10.
 * Cost: not for production.
 */
#include "test/native/probe/probe.h"

const volatile __u32 events = 1;
const volatile __u64 added = 1;
const volatile __u8 verdict = PROBE_PASSED;
const volatile __s32 offset = 0;
const volatile bool noisy = false;

/* Filled by user space and by packets. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct probe_key);
	__type(value, struct probe_count);
	__uint(max_entries, 1024);
} table SEC(".maps");

/* A value for each CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 64);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 8);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} ring SEC(".maps");

static __always_inline void count(__u32 slot)
{
	__u64 *value = bpf_map_lookup_elem(&seen, &slot);

	if (value)
		__sync_fetch_and_add(value, added);
}

static __always_inline void announce(struct __sk_buff *skb, __u64 number)
{
	struct probe_event *event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);

	if (!event)
		return count(7);
	event->time_ns = number;
	event->length = skb->len + offset;
	event->interface = skb->ifindex;
	__builtin_memset(event->note, verdict, sizeof(event->note));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

SEC("tc")
int probe_packet(struct __sk_buff *skb)
{
	count(0);
	for (__u32 i = 0; i < events && i < 8; i++)
		announce(skb, i);
	return -1;			/* next */
}

SEC("tc")
int probe_second(struct __sk_buff *skb)
{
	count(1);
	return -1;
}

/* Refused by every kernel: reads past the context. Loaded only when asked for. */
SEC("tc")
int probe_refused(struct __sk_buff *skb)
{
	return *(__u64 *)((char *)skb + 4096);
}

SEC("xdp")
int probe_xdp(struct xdp_md *xdp)
{
	count(2);
	return XDP_PASS;
}

SEC("socket")
int probe_socket(struct __sk_buff *skb)
{
	count(3);
	return 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(probe_tracing, struct sk_buff *skb)
{
	if (BPF_CORE_READ(skb, len) > 0)
		count(4);
	return 0;
}

SEC("raw_tp")
int probe_raw(void *context)
{
	count(5);
	return 0;
}

SEC("tracepoint")
int probe_tracepoint(void *context)
{
	count(6);
	return 0;
}

SEC("sockops")
int probe_sockops(struct bpf_sock_ops *context)
{
	count(6);
	return 1;
}

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
} __attribute__((preserve_access_index));

/* Writes 8 bytes for each BPF map of the machine. */
SEC("iter/bpf_map")
int probe_iterator(struct bpf_iter__bpf_map *context)
{
	struct seq_file *seq = context->meta->seq;
	__u64 number = context->meta->seq_num;

	if (context->map)
		bpf_seq_write(seq, &number, sizeof(number));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
