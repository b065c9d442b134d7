// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Who sends how much to whom, at each link of this node?
 * Hook: tc ingress and egress of pod links and uplinks.  Oldest kernel: 5.10.
 * Cost: about 60 ns a packet: one parse, one look-up, two atomic adds. A packet's way never
 * changes.
 */
#include "receivers/flows/count.h"

#define NEXT (-1)			/* TC_ACT_UNSPEC and TCX_NEXT: the next program decides */
#define LINEAR_BYTES_MAX 256

SHARED_TYPE(enum, flow_direction);
SHARED_TYPE(enum, flow_initiator);
SHARED_TYPE(enum, other_cause);
SHARED_TYPE(enum, frame_counter);
SHARED_TYPE(enum, watched_link);

const volatile __u8 has_coarse_clock = 0;	/* bpf_ktime_get_coarse_ns came with 5.11 */

/* Plain hash, not LRU: an LRU forgets silently, this one refuses and other_table counts it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct flow_key);
	__type(value, struct flow_count);
	__uint(max_entries, 65536);
} flow_table SEC(".maps");

/* A few rows per link: cause, protocol and direction. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct other_key);
	__type(value, struct other_count);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} other_table SEC(".maps");

/* enum frame_counter: what not even other_table tells apart. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct frame_count);
	__uint(max_entries, FRAME_COUNTERS);
} frame_counters SEC(".maps");

/* ifindex -> enum watched_link, written by user space; asked for forwarded packets only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} watched_links SEC(".maps");

#include "receivers/flows/open.h"

enum sighting_rank { FIRST, SECOND, ASK };

struct place {
	bool has_ethernet;
	__u8 direction;
	enum sighting_rank rank;
};

/* gso_segs is 0 in trains that a guest or a tunnel made (SKB_GSO_DODGY): then by division. */
static __always_inline __u32 segments_of(struct __sk_buff *skb, __u32 header_bytes)
{
	__u32 segments = skb->gso_segs, size, length;

	if (likely(segments))
		return segments;
	size = skb->gso_size;
	if (likely(!size))
		return 1;
	length = skb->len > header_bytes ? skb->len - header_bytes : 1;
	return (length + size - 1) / size;
}

/* Layer-3 bytes of all segments as on the wire; 0 when the header lies about its length. */
static __always_inline __u64 wire_bytes(struct __sk_buff *skb, const struct packet *packet,
					__u32 segments)
{
	__u32 present = skb->len - packet->network_offset;

	if (unlikely(present < packet->header_bytes))
		return 0;
	if (segments > 1)		/* total_length is the train's or 0; nothing is padded */
		return present - packet->jumbo_bytes +
		       (__u64)(segments - 1) * (packet->header_bytes - packet->jumbo_bytes);
	if (packet->length > present || packet->length < packet->header_bytes)
		return 0;
	return packet->length;
}

/* A packet on its way out that came in through a watched link was counted there. */
static __always_inline __u8 was_counted(struct __sk_buff *skb)
{
	__u32 from = skb->ingress_ifindex;

	return from && bpf_map_lookup_elem(&watched_links, &from);
}

static __always_inline int count_frame(__u32 counter, __u32 packets, __u64 bytes)
{
	struct frame_count *count = bpf_map_lookup_elem(&frame_counters, &counter);

	if (count) {
		count->packets += packets;
		count->bytes += bytes;
	}
	return NEXT;
}

static __always_inline int count_other(const struct flow_key *flow, enum other_cause cause,
				       const struct sighting *seen)
{
	struct other_count *count, fresh = { .first_ns = seen->now };
	struct other_key key = {
		.interface = flow->interface,
		.cause = cause,
		.protocol = flow->protocol,
		.direction = flow->direction,
		.duplicate = flow->duplicate,
	};

	count = bpf_map_lookup_elem(&other_table, &key);
	if (!count) {
		bpf_map_update_elem(&other_table, &key, &fresh, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&other_table, &key);
	}
	if (!count)
		return count_frame(FRAMES_LOST, seen->segments, seen->bytes);
	__sync_fetch_and_add(&count->packets, seen->segments);
	__sync_fetch_and_add(&count->bytes, seen->bytes);
	count->last_ns = seen->now;
	return NEXT;
}

/* Parses in place; where the headers lie outside the linear part, once more after fetching them. */
static __always_inline int read_headers(struct __sk_buff *skb, bool has_ethernet,
					struct flow_key *key, struct packet *packet)
{
	__u32 length;
	int result = SHORT;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 2; i++) {
		result = parse((void *)(long)skb->data, (void *)(long)skb->data_end, has_ethernet,
			       (struct tuple *)key, packet);
		if (likely(result != SHORT))
			break;
		length = skb->len < LINEAR_BYTES_MAX ? skb->len : LINEAR_BYTES_MAX;
		if (bpf_skb_pull_data(skb, length))
			break;
	}
	/* Makes the verifier forget on which of some hundred ways the packet was parsed. */
	asm volatile("" : : "r"(packet) : "memory");
	return result;
}

static __always_inline int count_packet(struct __sk_buff *skb, struct place place)
{
	struct flow_key key = {};
	struct packet packet = {};
	struct sighting seen;
	struct flow_count *count;
	int result = read_headers(skb, place.has_ethernet, &key, &packet);

	if (unlikely(result == NOT_IP))
		return count_frame(FRAMES_NOT_IP, 1, skb->len);
	key.interface = skb->ifindex;
	key.direction = place.direction;
	key.duplicate = place.rank == ASK ? was_counted(skb) : place.rank;
	seen.tcp_flags = packet.tcp_flags;
	/* The coarse clock lags up to 4 ms: too much for a handshake. */
	seen.now = has_coarse_clock && likely(!(seen.tcp_flags & TCP_SYN)) ?
		   bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
	seen.segments = segments_of(skb, packet.network_offset + packet.header_bytes);
	seen.bytes = result == PARSED ? wire_bytes(skb, &packet, seen.segments) : 0;
	if (unlikely(!seen.bytes)) {
		seen.bytes = skb->len - packet.network_offset;
		return count_other(&key, UNREADABLE_HEADER, &seen);
	}
	count = bpf_map_lookup_elem(&flow_table, &key);
	if (unlikely(!count))
		count = open_flow(&key, &seen);
	if (unlikely(!count))
		return count_other(&key, TABLE_FULL, &seen);
	count_flow(count, &key, &seen);
	return NEXT;
}

#define ATTACH_POINT(name, direction, rank)							\
	SEC("tc") int name(struct __sk_buff *skb)						\
	{											\
		return count_packet(skb, (struct place){ true, direction, rank });		\
	}											\
	SEC("tc") int name##_l3(struct __sk_buff *skb)	/* no Ethernet */	\
	{											\
		return count_packet(skb, (struct place){ false, direction, rank });		\
	}

ATTACH_POINT(flows_from_endpoint, OUT_OF_ENDPOINT, FIRST)	/* ingress at a pod's link */
ATTACH_POINT(flows_to_endpoint, INTO_ENDPOINT, ASK)		/* egress at a pod's link */
ATTACH_POINT(flows_from_network, INTO_ENDPOINT, FIRST)		/* ingress at an uplink */
ATTACH_POINT(flows_to_network, OUT_OF_ENDPOINT, ASK)		/* egress at an uplink */
ATTACH_POINT(flows_from_loopback, INTO_ENDPOINT, SECOND)	/* ingress at lo */

char LICENSE[] SEC("license") = "Dual BSD/GPL";
