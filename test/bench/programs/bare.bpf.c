// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is the least that counting flows can cost? Ethernet, IPv4 and TCP ports, one look-up in a
 * plain hash, two atomic adds and a clock: no options, no IPv6, no fragments, flags or segments.
 * Hook: tc.  Oldest kernel: 5.11 (coarse clock).
 * Cost: the reference that `flows` is measured against.
 */
#include "native/bpf/kernel.h"

struct bare_key {
	__u8  source_address[16];
	__u8  destination_address[16];
	__u16 source_port;
	__u16 destination_port;
	__u8  protocol;
	__u8  direction;
	__u16 interface;
};

struct bare_count {
	__u64 packets;
	__u64 bytes;
	__u64 first_ns;
	__u64 last_ns;
	__u64 rest[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct bare_key);
	__type(value, struct bare_count);
	__uint(max_entries, 65536);
} bare_table SEC(".maps");

SEC("tc") int bare(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bare_key key = {};
	struct bare_count *count;
	__u64 now;

	if (data + 14 + 20 + 20 > end || *(__u16 *)(data + 12) != bpf_htons(0x0800))
		return -1;
	key.source_address[10] = key.source_address[11] = 0xff;
	key.destination_address[10] = key.destination_address[11] = 0xff;
	*(__u32 *)(key.source_address + 12) = *(__u32 *)(data + 26);
	*(__u32 *)(key.destination_address + 12) = *(__u32 *)(data + 30);
	key.source_port = *(__u16 *)(data + 34);
	key.destination_port = *(__u16 *)(data + 36);
	key.protocol = data[23];
	key.direction = 1;
	key.interface = skb->ifindex;
	now = bpf_ktime_get_coarse_ns();
	count = bpf_map_lookup_elem(&bare_table, &key);
	if (!count) {
		struct bare_count fresh = { 1, skb->len, now, now };

		bpf_map_update_elem(&bare_table, &key, &fresh, BPF_NOEXIST);
		return -1;
	}
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, skb->len);
	count->last_ns = now;
	return -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
