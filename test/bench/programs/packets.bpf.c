// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Which packets does a benchmark send?  Small UDP packets of many flows, one after the other.
 * Hook: XDP, run with live frames: the kernel takes each as if its link had received it.
 * Oldest kernel: 5.18.  Cost: a few stores a packet.
 */
#include "native/bpf/kernel.h"

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

/* Source addresses are 10.128.0.0 plus the number of the flow. */
const volatile __u32 flows = 10000;

static __u32 next;

static __always_inline __u16 checksum(const struct iphdr *ip)
{
	const __u16 *words = (const __u16 *)ip;
	__u32 sum = 0;

	for (int i = 0; i < sizeof(*ip) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

SEC("xdp")
int packets_send(struct xdp_md *context)
{
	void *data = (void *)(long)context->data;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = data + sizeof(*ethernet);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > (void *)(long)context->data_end)
		return XDP_DROP;
	if (next >= flows)
		next = 0;
	ip->saddr = bpf_htonl(0x0a800000 + next);
	ip->check = 0;
	ip->check = checksum(ip);
	udp->source = bpf_htons(1024 + (next & 0x7fff));
	next++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
