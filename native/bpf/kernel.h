/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What every BPF program of Fovea includes first, in place of a vmlinux.h.
 *
 * The UAPI header gives maps, helpers and contexts; below stand the few kernel structs that
 * programs read, with only the fields they read. `preserve_access_index` makes libbpf find each
 * field by struct and name in the running kernel's BTF, so neither order nor size here means
 * anything, and a field that a kernel lacks is a load error that names it (ask first:
 * bpf_core_field_exists).
 */
#ifndef FOVEA_KERNEL_H
#define FOVEA_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/*
 * Marks a struct that user space reads: native/layout.ts writes its offsets to x.generated.ts and
 * refuses hidden padding, misalignment and types without a fixed width.
 *
 *	struct SHARED drop_key { ... };
 *
 * A type that no map and no variable names is left out of BTF by clang. Name it once to keep it; an
 * enum is exported only so, because enums take no tag:
 *
 *	SHARED_TYPE(enum, drop_cause);
 *
 * The pointer lies in a section of its own that libbpf never loads.
 */
#define SHARED __attribute__((btf_decl_tag("shared")))
#define SHARED_TYPE(kind, name) kind name *shared_##name SEC(".shared")

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie;		/* 5.15 */
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	char name[16];
	possible_net_t nd_net;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__u32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;		/* network order */
	__u16 skc_num;			/* host order */
	unsigned short skc_family;
	unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	unsigned int data_len;
	__u16 protocol;			/* network order */
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	unsigned char *head;
	unsigned char *data;
	unsigned int end;
	int skb_iif;
};

struct skb_shared_info {
	unsigned short gso_size;
	unsigned short gso_segs;
};

#pragma clang attribute pop

#endif
