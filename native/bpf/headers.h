/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The protocol headers as they lie in a packet, and the numbers in them (IANA; linux/if_ether.h).
 *
 * Only what parse.h reads. Big-endian fields are __be; addresses stay as they are on the wire.
 */
#ifndef FOVEA_HEADERS_H
#define FOVEA_HEADERS_H

#include "native/bpf/kernel.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_DCCP 33
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_DESTINATION_OPTIONS 60
#define PROTOCOL_MOBILITY 135
#define PROTOCOL_SCTP 132
#define PROTOCOL_UDP_LITE 136

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_PSH 8
#define TCP_ACK 16
#define TCP_URG 32
#define TCP_ECE 64
#define TCP_CWR 128
#define TCP_FLAGS 0x1ff		/* with NS */

struct ethernet_header {
	__u8   destination[6];
	__u8   source[6];
	__be16 type;
};

struct vlan_header {
	__be16 tag;
	__be16 type;
};

struct ipv4_header {
	__u8   version_and_length;
	__u8   service;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8   ttl;
	__u8   protocol;
	__be16 checksum;
	__u32  source;
	__u32  destination;
};

/* Addresses by 32-bit words: IP headers are 4-byte aligned behind Ethernet's 14, not 8. */
struct ipv6_header {
	__u8   version_and_class;
	__u8   rest[3];
	__be16 payload_length;
	__u8   next_header;
	__u8   hop_limit;
	__u32  source[4];
	__u32  destination[4];
};

struct extension_header {
	__u8   next_header;
	__u8   length;			/* 8-byte words beyond the first; AH: of 4, minus 2 */
	__be16 fragment;		/* fragment header only: offset in the upper 13 bits */
};

/* The words of a TCP header that matter here; its first four bytes are any transport's ports. */
struct tcp_header {
	__be16 source_port;
	__be16 destination_port;
	__u32  sequence;
	__u32  acknowledged;
	__be16 length_and_flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

#endif
