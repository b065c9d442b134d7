/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What one packet, or one train of segments, does to the counters of its flow.
 *
 * Plain adds are atomic without fetching (5.10); the rest is written without atomics, because two
 * CPUs that see packets of one direction of one flow at once write nearly the same values.
 */
#ifndef FOVEA_FLOWS_COUNT_H
#define FOVEA_FLOWS_COUNT_H

#include "receivers/flows/flows.h"

#define TCP_FLAGS_COUNTED (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG | TCP_ECE | TCP_CWR)
#define TCP_FLAGS_ENDED (TCP_FIN | TCP_RST | RESET_BY_PEER)

struct sighting {
	__u64 now;
	__u64 bytes;			/* layer 3, of all segments as they are on the wire */
	__u32 segments;
	__u16 tcp_flags;
};

static __always_inline bool is_opening(__u16 tcp_flags)
{
	return (tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* A SYN on an entry that ended: the tuple is used again, the counters go on. */
static __always_inline void restart_flow(struct flow_count *count, const struct sighting *seen)
{
	count->first_ns = seen->now;
	count->syn_ns = 0;
	count->handshake_us = 0;
	count->tcp_flags = 0;
	if (is_opening(seen->tcp_flags))
		__sync_fetch_and_add(&count->flow_starts, 1);
}

static __always_inline void count_syn(struct flow_count *count, const struct sighting *seen)
{
	if (count->tcp_flags & TCP_FLAGS_ENDED)
		restart_flow(count, seen);
	if (seen->tcp_flags & TCP_ACK) {
		count->initiator = INITIATOR_DESTINATION;
		__sync_fetch_and_add(&count->syn_ack, 1);
		return;
	}
	count->initiator = INITIATOR_SOURCE;
	__sync_fetch_and_add(&count->syn, 1);
	if (count->syn_ns)
		return;
	count->syn_ns = seen->now;
	count->awaits_ack = 1;
}

/* An RST is the last word of both directions (open.h). */
static __always_inline void end_reverse(const struct flow_key *key);

/* Segmentation repeats URG and ECE in every segment; FIN is in the last, CWR in the first only. */
static __always_inline void count_flags(struct flow_count *count, const struct flow_key *key,
					const struct sighting *seen)
{
	if (seen->tcp_flags & TCP_SYN)
		count_syn(count, seen);
	if (seen->tcp_flags & TCP_FIN)
		__sync_fetch_and_add(&count->fin, 1);
	if (seen->tcp_flags & TCP_RST) {
		__sync_fetch_and_add(&count->rst, 1);
		end_reverse(key);
	}
	if (seen->tcp_flags & TCP_URG)
		__sync_fetch_and_add(&count->urg, seen->segments);
	if (seen->tcp_flags & TCP_ECE)
		__sync_fetch_and_add(&count->ece, seen->segments);
	if (seen->tcp_flags & TCP_CWR)
		__sync_fetch_and_add(&count->cwr, 1);
}

static __always_inline void end_handshake(struct flow_count *count, __u16 tcp_flags)
{
	__u64 us;

	if ((tcp_flags & (TCP_SYN | TCP_RST | TCP_ACK)) != TCP_ACK)
		return;
	us = (bpf_ktime_get_ns() - count->syn_ns) / 1000;
	count->awaits_ack = 0;
	count->handshake_us = us == 0 ? 1 : us > 0xffffffff ? 0xffffffff : us;
}

static __always_inline void count_flow(struct flow_count *count, const struct flow_key *key,
				       const struct sighting *seen)
{
	__sync_fetch_and_add(&count->packets, seen->segments);
	__sync_fetch_and_add(&count->bytes, seen->bytes);
	if (unlikely(seen->tcp_flags & TCP_FLAGS_COUNTED))
		count_flags(count, key, seen);
	if (unlikely(count->awaits_ack))
		end_handshake(count, seen->tcp_flags);
	if (unlikely(seen->tcp_flags & ~count->tcp_flags))
		count->tcp_flags |= seen->tcp_flags;
	if (seen->now > count->last_ns)
		count->last_ns = seen->now;
}

#endif
