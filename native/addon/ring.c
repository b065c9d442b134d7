/*
 * Drains a BPF ring buffer by memcpy (layout: kernel/bpf/ringbuf.c).
 *
 * The walk is here and not in JavaScript because it needs acquire loads, which JavaScript has not.
 */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addon.h"

struct ring {
	unsigned long *consumed;	/* page 0, ours to write */
	unsigned long *produced;	/* page 1, the kernel's */
	uint8_t *data;			/* mapped twice, so that records never wrap */
	uint64_t size;
	size_t page;
};

static void ring_destroy(void *data)
{
	struct ring *ring = data;

	munmap(ring->consumed, ring->page);
	munmap(ring->produced, ring->page + 2 * ring->size);
	free(ring);
}

/* ringOpen(object, map) */
napi_value js_ring_open(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[2];
	struct ring *ring;
	struct map *map;
	void *consumed, *produced;
	size_t page = sysconf(_SC_PAGESIZE);
	int error;

	if (!arguments(env, info, 2, values, &instance) ||
	    !(map = object_map(env, instance, values[0], values[1])))
		return NULL;
	if (map->type != BPF_MAP_TYPE_RINGBUF)
		return fail(env, EINVAL, "this map is no ring buffer");
	ring = malloc(sizeof(*ring));
	if (!ring)
		return fail(env, ENOMEM, "map a ring buffer");
	consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	produced = mmap(NULL, page + 2 * (size_t)map->entries_max, PROT_READ, MAP_SHARED, map->fd,
			page);
	error = errno;
	if (consumed == MAP_FAILED || produced == MAP_FAILED) {
		if (consumed != MAP_FAILED)
			munmap(consumed, page);
		if (produced != MAP_FAILED)
			munmap(produced, page + 2 * (size_t)map->entries_max);
		free(ring);
		return fail(env, error, "map a ring buffer");
	}
	*ring = (struct ring){ consumed, produced, (uint8_t *)produced + page, map->entries_max,
			       page };
	return handle_new(env, instance, HANDLE_RING, ring, ring_destroy);
}

/*
 * ringDrain(ring, into): bytes written. Each record is a u32 length, a u32 zero, the data and
 * padding to 8 bytes. Stops at a record that a program is still writing and at a full buffer;
 * throws ENOSPC when not even one record fits.
 */
napi_value js_ring_drain(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	unsigned long at, end;
	napi_value values[2];
	uint32_t header, length;
	struct bytes into;
	size_t used = 0, whole;
	struct ring *ring;
	uint8_t *record;
	bool is_full = false;

	if (!arguments(env, info, 2, values, &instance) ||
	    !(ring = handle_get(env, instance, values[0], HANDLE_RING)) ||
	    !get_bytes(env, values[1], "into", 0, &into))
		return NULL;
	at = *ring->consumed;
	end = __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE);
	while (at < end) {
		record = ring->data + (at & (ring->size - 1));
		header = __atomic_load_n((uint32_t *)record, __ATOMIC_ACQUIRE);
		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		whole = ((size_t)length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			is_full = whole > into.length - used;
			if (is_full)
				break;
			memcpy(into.data + used, &length, sizeof(length));
			memset(into.data + used + 4, 0, 4);
			memcpy(into.data + used + 8, record + BPF_RINGBUF_HDR_SZ, whole - 8);
			used += whole;
		}
		at += whole;
	}
	__atomic_store_n(ring->consumed, at, __ATOMIC_RELEASE);
	if (is_full && used == 0)
		return fail(env, ENOSPC, "into: the next record does not fit");
	return number(env, used);
}
