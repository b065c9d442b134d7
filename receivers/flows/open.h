/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What happens once in the life of an entry: who began, and whether a flow begins here.
 *
 * Included behind the maps, because the other direction's entry is looked up in flow_table.
 */
#ifndef FOVEA_FLOWS_OPEN_H
#define FOVEA_FLOWS_OPEN_H

#include "receivers/flows/count.h"

/* The entry of the other direction at this link; its packets may have been counted elsewhere. */
static __always_inline struct flow_count *find_reverse(const struct flow_key *key)
{
	struct flow_key reverse = *key;
	struct flow_count *count;

	__builtin_memcpy(reverse.source_address, key->destination_address, 16);
	__builtin_memcpy(reverse.destination_address, key->source_address, 16);
	reverse.source_port = key->destination_port;
	reverse.destination_port = key->source_port;
	reverse.direction = INTO_ENDPOINT + OUT_OF_ENDPOINT - key->direction;
	reverse.duplicate = 0;
	count = bpf_map_lookup_elem(&flow_table, &reverse);
	if (count)
		return count;
	reverse.duplicate = 1;
	return bpf_map_lookup_elem(&flow_table, &reverse);
}

static __always_inline void end_reverse(const struct flow_key *key)
{
	struct flow_count *reverse = find_reverse(key);

	if (reverse)
		reverse->tcp_flags |= RESET_BY_PEER;
}

static __always_inline __u8 initiator_by_icmp(__u8 type, __u8 request, __u8 reply)
{
	return type == request ? INITIATOR_SOURCE
	     : type == reply ? INITIATOR_DESTINATION : INITIATOR_UNKNOWN;
}

/* Who began, as far as a first packet tells; TCP's SYN tells it better (count_syn). */
static __always_inline __u8 initiator_of(const struct flow_key *key,
					 const struct flow_count *reverse)
{
	if (key->protocol == PROTOCOL_ICMP)
		return initiator_by_icmp(key->icmp_type, 8, 0);
	if (key->protocol == PROTOCOL_ICMPV6)
		return initiator_by_icmp(key->icmp_type, 128, 129);
	if (!reverse)
		return key->protocol == PROTOCOL_TCP ? INITIATOR_UNKNOWN : INITIATOR_SOURCE;
	if (reverse->initiator == INITIATOR_SOURCE)
		return INITIATOR_DESTINATION;
	return reverse->initiator == INITIATOR_DESTINATION ? INITIATOR_SOURCE : INITIATOR_UNKNOWN;
}

/*
 * The entry of a new direction, its counters still 0; null when the table is full. A flow begins
 * with the first of its two directions only, so that the sum of flow_starts counts flows.
 */
static __always_inline struct flow_count *open_flow(const struct flow_key *key,
						    const struct sighting *seen)
{
	struct flow_count fresh = { .last_ns = seen->now, .first_ns = seen->now };
	const struct flow_count *reverse;

	if (!key->fragment) {
		reverse = find_reverse(key);
		fresh.initiator = initiator_of(key, reverse);
		fresh.flow_starts = is_opening(seen->tcp_flags) ||
				    (!reverse && fresh.initiator != INITIATOR_DESTINATION);
	}
	bpf_map_update_elem(&flow_table, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&flow_table, key);
}

#endif
