/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reads the headers of one packet into a tuple: Ethernet, VLAN tags, IPv4 with options, IPv6 with
 * its extension headers, TCP, UDP, SCTP, ICMP.
 *
 * Works on bytes between two pointers, so a program with direct packet access parses in place.
 * Every function returns a parse_result and touches nothing beyond `end`. Lengths that contradict
 * each other are UNREADABLE: a row with made-up ports is worse than none.
 */
#ifndef FOVEA_PARSE_H
#define FOVEA_PARSE_H

#include "native/bpf/headers.h"

#define VLAN_TAGS_MAX 2
#define EXTENSION_HEADERS_MAX 8

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum parse_result {
	PARSED,
	NOT_IP,
	SHORT,				/* a header goes on beyond `end` */
	UNREADABLE,
};

/* Who talks to whom. Ports in host order. A key begins with it. */
struct tuple {
	__u8  source_address[16];	/* IPv4 as ::ffff:a.b.c.d */
	__u8  destination_address[16];
	__u16 source_port;
	__u16 destination_port;
	__u8  protocol;			/* of the transport, behind all extension headers */
	__u8  icmp_type;
	__u8  icmp_code;
	__u8  fragment;			/* 1: not the first fragment, so no ports */
};

/* What else the headers said. */
struct packet {
	__u32 network_offset;		/* from the start of the packet to the IP header */
	__u32 length;			/* IP header and payload, as claimed; 0: a jumbogram */
	__u32 header_bytes;		/* IP and transport headers, repeated by every segment */
	__u32 jumbo_bytes;		/* a hop-by-hop header that never reaches the wire */
	__u16 tcp_flags;
};

static __always_inline int parse_tcp(void *at, void *end, struct tuple *tuple,
				     struct packet *packet)
{
	struct tcp_header *tcp = at;
	__u16 word;
	__u32 length;

	if ((void *)(tcp + 1) > end)
		return SHORT;
	word = bpf_ntohs(tcp->length_and_flags);
	length = (word >> 12) * 4;
	if (length < sizeof(*tcp))
		return UNREADABLE;
	tuple->source_port = bpf_ntohs(tcp->source_port);
	tuple->destination_port = bpf_ntohs(tcp->destination_port);
	packet->tcp_flags = word & TCP_FLAGS;
	packet->header_bytes += length;
	return PARSED;
}

static __always_inline int parse_ports(void *at, void *end, struct tuple *tuple,
				       struct packet *packet, __u32 header_bytes)
{
	__be16 *ports = at;

	if (at + 8 > end)		/* the shortest transport header with ports is UDP's */
		return SHORT;
	tuple->source_port = bpf_ntohs(ports[0]);
	tuple->destination_port = bpf_ntohs(ports[1]);
	packet->header_bytes += header_bytes;
	return PARSED;
}

static __always_inline int parse_icmp(void *at, void *end, struct tuple *tuple,
				      struct packet *packet)
{
	__u8 *icmp = at;

	if (at + 8 > end)
		return SHORT;
	tuple->icmp_type = icmp[0];
	tuple->icmp_code = icmp[1];
	packet->header_bytes += 8;
	return PARSED;
}

/* Other protocols have neither ports nor a known header length: their rows carry addresses only. */
static __always_inline int parse_transport(void *at, void *end, __u8 protocol, struct tuple *tuple,
					   struct packet *packet)
{
	tuple->protocol = protocol;
	if (likely(protocol == PROTOCOL_TCP))
		return parse_tcp(at, end, tuple, packet);
	switch (protocol) {
	case PROTOCOL_UDP:
	case PROTOCOL_UDP_LITE:
		return parse_ports(at, end, tuple, packet, 8);
	case PROTOCOL_SCTP:
	case PROTOCOL_DCCP:
		return parse_ports(at, end, tuple, packet, 12);
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return parse_icmp(at, end, tuple, packet);
	}
	return PARSED;
}

static __always_inline void map_ipv4(__u8 *address, __u32 ipv4)
{
	*(__u64 *)address = 0;
	*(__u32 *)(address + 8) = bpf_htonl(0xffff);
	*(__u32 *)(address + 12) = ipv4;
}

static __always_inline int parse_ipv4(void *at, void *end, struct tuple *tuple,
				      struct packet *packet)
{
	struct ipv4_header *ip = at;
	__u32 header;

	if ((void *)(ip + 1) > end)
		return SHORT;
	header = (ip->version_and_length & 15) * 4;
	if (ip->version_and_length >> 4 != 4 || header < sizeof(*ip))
		return UNREADABLE;
	map_ipv4(tuple->source_address, ip->source);
	map_ipv4(tuple->destination_address, ip->destination);
	packet->length = bpf_ntohs(ip->total_length);
	packet->header_bytes = header;
	if (unlikely(ip->fragment & bpf_htons(0x1fff))) {
		tuple->protocol = ip->protocol;
		tuple->fragment = 1;
		return PARSED;
	}
	return parse_transport(at + header, end, ip->protocol, tuple, packet);
}

/*
 * How long an extension header is, by protocol: ((its length byte & mask) + bias) * unit bytes;
 * unit 0 is no extension header. A table and not a switch, because every branch in the loop below
 * would multiply the paths that the verifier walks by the number of headers.
 */
struct extension_rule {
	__u8 unit;
	__u8 bias;
	__u8 mask;
	__u8 pad;
};

static const struct extension_rule extension_rules[256] = {
	[PROTOCOL_HOP_BY_HOP] = { 8, 1, 0xff },
	[PROTOCOL_ROUTING] = { 8, 1, 0xff },
	[PROTOCOL_DESTINATION_OPTIONS] = { 8, 1, 0xff },
	[PROTOCOL_MOBILITY] = { 8, 1, 0xff },
	[PROTOCOL_FRAGMENT] = { 8, 1, 0 },
	[PROTOCOL_AUTHENTICATION] = { 4, 2, 0xff },
};

/* Follows the chain of extension headers (RFC 8200 section 4) to the transport. */
static __always_inline int parse_extensions(void *at, void *end, __u8 next, struct tuple *tuple,
					    struct packet *packet)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		const struct extension_rule *rule = &extension_rules[next];
		struct extension_header *extension = at;
		__u32 length;

		if (!rule->unit)
			return parse_transport(at, end, next, tuple, packet);
		if (at + 8 > end)
			return SHORT;
		/* At most 2,048; the mask says so to the verifier. */
		length = ((extension->length & rule->mask) + rule->bias) * rule->unit & 0xfff;
		packet->header_bytes += length;
		if (next == PROTOCOL_HOP_BY_HOP && packet->length == 0)
			packet->jumbo_bytes = length;
		if (next == PROTOCOL_FRAGMENT && (extension->fragment & bpf_htons(0xfff8))) {
			tuple->protocol = extension->next_header;
			tuple->fragment = 1;
			return PARSED;
		}
		next = extension->next_header;
		at += length;
	}
	return UNREADABLE;
}

static __always_inline int parse_ipv6(void *at, void *end, struct tuple *tuple,
				      struct packet *packet)
{
	struct ipv6_header *ip = at;
	__u32 payload;

	if ((void *)(ip + 1) > end)
		return SHORT;
	if (ip->version_and_class >> 4 != 6)
		return UNREADABLE;
	__builtin_memcpy(tuple->source_address, ip->source, 16);
	__builtin_memcpy(tuple->destination_address, ip->destination, 16);
	payload = bpf_ntohs(ip->payload_length);
	packet->length = payload ? payload + sizeof(*ip) : 0;
	packet->header_bytes = sizeof(*ip);
	if (ip->next_header == PROTOCOL_TCP || ip->next_header == PROTOCOL_UDP)
		return parse_transport(at + sizeof(*ip), end, ip->next_header, tuple, packet);
	return parse_extensions(at + sizeof(*ip), end, ip->next_header, tuple, packet);
}

/*
 * Parses from the link header (`has_ethernet`) or from the IP header on. `tuple` and `packet` must
 * be zero: only what the packet has is written.
 */
static __always_inline int parse(void *data, void *end, bool has_ethernet, struct tuple *tuple,
				 struct packet *packet)
{
	void *at = data;
	__be16 type;

	if (has_ethernet) {
		struct ethernet_header *ethernet = data;

		at += sizeof(*ethernet);
		if (at > end)
			return SHORT;
		type = ethernet->type;
		for (int i = 0; i < VLAN_TAGS_MAX; i++) {
			struct vlan_header *vlan = at;

			if (likely(type != bpf_htons(ETHERTYPE_VLAN) &&
				   type != bpf_htons(ETHERTYPE_QINQ)))
				break;
			at += sizeof(*vlan);
			if (at > end)
				return SHORT;
			type = vlan->type;
		}
	} else {
		if (at + 1 > end)
			return SHORT;
		type = bpf_htons(*(__u8 *)at >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
	}
	packet->network_offset = at - data;
	if (likely(type == bpf_htons(ETHERTYPE_IPV4)))
		return parse_ipv4(at, end, tuple, packet);
	if (type == bpf_htons(ETHERTYPE_IPV6))
		return parse_ipv6(at, end, tuple, packet);
	return NOT_IP;
}

#endif
