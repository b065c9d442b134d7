/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the flow program and its user half share: the flow table's key and counters, and the small
 * tables for what has no flow.
 */
#ifndef FOVEA_FLOWS_H
#define FOVEA_FLOWS_H

#include "native/bpf/parse.h"

/* One direction of one flow, as seen at one link. Begins as struct tuple does. */
struct SHARED flow_key {
	__u8  source_address[16];
	__u8  destination_address[16];
	__u16 source_port;
	__u16 destination_port;
	__u8  protocol;
	__u8  icmp_type;
	__u8  icmp_code;
	__u8  fragment;
	__u32 interface;
	__u8  direction;
	__u8  duplicate;		/* 1: counted before at another watched link of this node */
	__u8  pad[2];
};

/* In tcp_flags, above the nine of the header: an RST of the other direction ended this one too. */
#define RESET_BY_PEER 0x8000

/*
 * Cumulative counters of one key. What every packet touches comes first: behind the map's own
 * header and the key it shares one cache line with the key's end, and the element is three lines
 * long.
 */
struct SHARED flow_count {
	__u64 packets;
	__u64 bytes;
	__u64 last_ns;
	__u32 handshake_us;		/* SYN to first ACK of the present flow; 0 not known */
	__u16 tcp_flags;		/* or over the present flow; RESET_BY_PEER */
	__u8  initiator;		/* enum flow_initiator */
	__u8  awaits_ack;		/* a SYN passed, the ACK that ends the handshake did not */
	__u64 first_ns;			/* start of the present flow */
	__u64 syn_ns;
	__u32 flow_starts;
	__u32 syn;			/* without ACK */
	__u32 syn_ack;
	__u32 fin;
	__u32 rst;
	__u32 urg;
	__u32 ece;
	__u32 cwr;
	__u8  pad[16];
};

/* Packets that have no entry of their own: why, and how many. */
struct SHARED other_key {
	__u32 interface;
	__u8  cause;			/* enum other_cause */
	__u8  protocol;			/* 0 where it could not be read */
	__u8  direction;
	__u8  duplicate;
};

struct SHARED other_count {
	__u64 packets;
	__u64 bytes;
	__u64 first_ns;
	__u64 last_ns;
};

struct SHARED frame_count {
	__u64 packets;
	__u64 bytes;
};

enum flow_direction { INTO_ENDPOINT = 1, OUT_OF_ENDPOINT = 2 };
enum flow_initiator { INITIATOR_UNKNOWN, INITIATOR_SOURCE, INITIATOR_DESTINATION };
enum other_cause { TABLE_FULL = 1, UNREADABLE_HEADER = 2 };
enum frame_counter { FRAMES_NOT_IP, FRAMES_LOST, FRAME_COUNTERS };
enum watched_link { WATCHED = 1, COVERED = 2 };

#endif
