/*
 * Reads and changes maps, entries as bytes.
 *
 * Batches where the kernel has them (5.6, per map type); else key by key behind the same cursor.
 */
#include <stdlib.h>
#include <string.h>

#include "addon.h"

/* A cursor: what JavaScript keeps between two calls and never looks into. */
struct cursor {
	uint32_t mode;
	uint32_t seen;			/* key by key: entries so far */
	uint8_t token[];		/* the batch token or the next key */
};

enum { CURSOR_NEW, CURSOR_BATCH, CURSOR_KEYS };

/*
 * A batch gives whole hash buckets and refuses with ENOSPC where one does not fit; below this many
 * entries of room the map is read key by key.
 */
#define BATCH_ENTRIES_MIN 64

struct room {
	uint8_t *keys;
	uint8_t *values;
	uint32_t entries;
};

static int element(int command, const struct map *map, const void *key, void *value)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_fd = map->fd;
	attributes.key = (uintptr_t)key;
	attributes.value = (uintptr_t)value;
	return sys_bpf(command, &attributes);
}

static bool is_missing_command(int error)
{
	return error == EINVAL || error == ERRNO_NOT_SUPPORTED || error == EOPNOTSUPP;
}

/* Entries read, or -1; sets `done` after the last one. */
static int64_t read_keys(const struct map *map, struct cursor *cursor, struct room room, bool *done)
{
	uint8_t *next = cursor->token;
	uint8_t *key, *value;
	uint32_t count = 0;

	if (cursor->mode == CURSOR_NEW) {
		cursor->seen = 0;
		if (element(BPF_MAP_GET_NEXT_KEY, map, NULL, next) < 0)
			goto end;
		cursor->mode = CURSOR_KEYS;
	}
	while (count < room.entries) {
		key = room.keys + (size_t)count * map->key_size;
		value = room.values + (size_t)count * map->value_size;
		memcpy(key, next, map->key_size);
		if (element(BPF_MAP_LOOKUP_ELEM, map, key, value) == 0)
			count++;
		/* A key deleted meanwhile restarts a hash from its first: the limit ends that. */
		if (++cursor->seen >= map->entries_max) {
			*done = true;
			break;
		}
		if (element(BPF_MAP_GET_NEXT_KEY, map, key, next) < 0)
			goto end;
	}
	return count;
end:
	*done = errno == ENOENT;
	return *done ? (int64_t)count : -1;
}

static int64_t read_batch(const struct map *map, struct cursor *cursor, struct room room,
			  bool *done)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.batch.map_fd = map->fd;
	if (cursor->mode == CURSOR_BATCH)
		attributes.batch.in_batch = (uintptr_t)cursor->token;
	attributes.batch.out_batch = (uintptr_t)cursor->token;
	attributes.batch.keys = (uintptr_t)room.keys;
	attributes.batch.values = (uintptr_t)room.values;
	attributes.batch.count = room.entries;
	if (sys_bpf(BPF_MAP_LOOKUP_BATCH, &attributes) < 0) {
		if (errno != ENOENT)
			return -1;
		*done = true;
	}
	cursor->mode = CURSOR_BATCH;
	return attributes.batch.count;
}

/*
 * mapReadBatch(object, map, cursor, keys, values): entries written; after the last one -1 -
 * entries. The cursor has 8 bytes more than a key has, at least 16, and is zero at the start.
 */
napi_value js_map_read_batch(napi_env env, napi_callback_info info)
{
	struct bytes position, keys, entries;
	struct instance *instance;
	struct cursor *cursor;
	napi_value values[5];
	bool done = false;
	struct room room;
	int64_t count = -1;
	struct map *map;

	if (!arguments(env, info, 5, values, &instance) ||
	    !(map = object_map(env, instance, values[0], values[1])))
		return NULL;
	if (map->key_size == 0 || map->value_size == 0)
		return fail(env, EINVAL, "this map has no entries to read");
	if (!get_bytes(env, values[2], "cursor",
		       sizeof(*cursor) + (map->key_size > 8 ? map->key_size : 8), &position) ||
	    !get_bytes(env, values[3], "keys", map->key_size, &keys) ||
	    !get_bytes(env, values[4], "values", map->value_size, &entries))
		return NULL;
	if ((uintptr_t)position.data % _Alignof(struct cursor) != 0)
		return fail(env, EINVAL, "cursor: expected a buffer of its own");
	cursor = (struct cursor *)position.data;
	room = (struct room){ keys.data, entries.data, keys.length / map->key_size };
	if (entries.length / map->value_size < room.entries)
		room.entries = entries.length / map->value_size;
	if (cursor->mode == CURSOR_BATCH ||
	    (cursor->mode == CURSOR_NEW && !map->no_batch && room.entries >= BATCH_ENTRIES_MIN)) {
		count = read_batch(map, cursor, room, &done);
		map->no_batch = count < 0 && cursor->mode == CURSOR_NEW &&
				is_missing_command(errno);
		if (count < 0 && !map->no_batch)
			return fail(env, errno, "read a batch of entries");
	}
	if (count < 0)
		count = read_keys(map, cursor, room, &done);
	if (count < 0)
		return fail(env, errno, "read entries");
	return number(env, done ? -1.0 - count : count);
}

/* The map and its key and value, checked; NULL after a throw. */
static struct map *entry(napi_env env, napi_callback_info info, size_t count, struct bytes *key,
			 struct bytes *value)
{
	struct instance *instance;
	napi_value values[4];
	struct map *map;

	if (!arguments(env, info, count, values, &instance) ||
	    !(map = object_map(env, instance, values[0], values[1])) ||
	    !get_bytes(env, values[2], "key", map->key_size, key) ||
	    (count == 4 && !get_bytes(env, values[3], "value", map->value_size, value)))
		return NULL;
	return map;
}

/* True, or false for ENOENT; every other error throws. */
static napi_value found(napi_env env, int result, const char *what)
{
	napi_value answer;

	if (result < 0 && errno != ENOENT)
		return fail(env, errno, what);
	napi_get_boolean(env, result >= 0, &answer);
	return answer;
}

/* mapLookup(object, map, key, value): false when there is none */
napi_value js_map_lookup(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	struct map *map = entry(env, info, 4, &key, &value);

	if (!map)
		return NULL;
	return found(env, element(BPF_MAP_LOOKUP_ELEM, map, key.data, value.data),
		     "look up an entry");
}

/* mapUpdate(object, map, key, value) */
napi_value js_map_update(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	struct map *map = entry(env, info, 4, &key, &value);

	if (map && element(BPF_MAP_UPDATE_ELEM, map, key.data, value.data) < 0)
		fail(env, errno, "update an entry");
	return NULL;
}

/* mapDelete(object, map, key): false when there was none */
napi_value js_map_delete(napi_env env, napi_callback_info info)
{
	struct map *map;
	struct bytes key;

	map = entry(env, info, 3, &key, NULL);
	if (!map)
		return NULL;
	return found(env, element(BPF_MAP_DELETE_ELEM, map, key.data, NULL), "delete an entry");
}

/* mapTake(object, map, key, value): look-up and delete, one step where the kernel can (5.14) */
napi_value js_map_take(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	struct map *map = entry(env, info, 4, &key, &value);
	int result = -1;

	if (!map)
		return NULL;
	if (!map->no_take) {
		result = element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, map, key.data, value.data);
		map->no_take = result < 0 && is_missing_command(errno);
	}
	if (map->no_take) {
		result = element(BPF_MAP_LOOKUP_ELEM, map, key.data, value.data);
		if (result == 0)
			result = element(BPF_MAP_DELETE_ELEM, map, key.data, NULL);
	}
	return found(env, result, "take an entry");
}
