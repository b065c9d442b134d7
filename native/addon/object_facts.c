/*
 * What a BPF object holds: its programs, maps and messages, and how the other files find them.
 */
#include "object.h"

bool get_index(napi_env env, napi_value value, uint32_t count, uint32_t *index)
{
	if (!get_u32(env, value, "index", index))
		return false;
	if (*index < count)
		return true;
	fail(env, ENOENT, "no such map or program");
	return false;
}

static void set(napi_env env, napi_value target, const char *key, double value)
{
	napi_set_named_property(env, target, key, number(env, value));
}

static napi_value named(napi_env env, const char *name, double type)
{
	napi_value result, text;

	napi_create_object(env, &result);
	napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &text);
	napi_set_named_property(env, result, "name", text);
	set(env, result, "type", type);
	return result;
}

/* programs(object): [{ name, type }] */
napi_value js_programs(napi_env env, napi_callback_info info)
{
	const struct libbpf *bpf = libbpf();
	struct instance *instance;
	struct object *object;
	napi_value values[1], list;

	if (!arguments(env, info, 1, values, &instance) ||
	    !(object = handle_get(env, instance, values[0], HANDLE_OBJECT)))
		return NULL;
	napi_create_array_with_length(env, object->program_count, &list);
	for (uint32_t i = 0; i < object->program_count; i++)
		napi_set_element(env, list, i,
				 named(env, bpf->bpf_program__name(object->programs[i]),
				       bpf->bpf_program__type(object->programs[i])));
	return list;
}

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

void learn_map(struct object *object, uint32_t index)
{
	const struct libbpf *bpf = libbpf();
	struct bpf_map *map = object->maps[index];
	struct map *facts = &object->map_facts[index];
	int cpus = bpf->libbpf_num_possible_cpus();

	facts->fd = bpf->bpf_map__fd(map);
	facts->type = bpf->bpf_map__type(map);
	facts->key_size = bpf->bpf_map__key_size(map);
	facts->value_size = bpf->bpf_map__value_size(map);
	facts->entries_max = bpf->bpf_map__max_entries(map);
	if (is_per_cpu(facts->type))
		facts->value_size = (facts->value_size + 7) / 8 * 8 * (cpus > 0 ? cpus : 1);
}

/* maps(object): [{ name, type, keySize, valueSize, entriesMax }] */
napi_value js_maps(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct object *object;
	napi_value values[1], list, map;
	const struct map *facts;

	if (!arguments(env, info, 1, values, &instance) ||
	    !(object = handle_get(env, instance, values[0], HANDLE_OBJECT)))
		return NULL;
	napi_create_array_with_length(env, object->map_count, &list);
	for (uint32_t i = 0; i < object->map_count; i++) {
		facts = &object->map_facts[i];
		if (!object->loaded)
			learn_map(object, i);
		map = named(env, libbpf()->bpf_map__name(object->maps[i]), facts->type);
		set(env, map, "keySize", facts->key_size);
		set(env, map, "valueSize", facts->value_size);
		set(env, map, "entriesMax", facts->entries_max);
		napi_set_element(env, list, i, map);
	}
	return list;
}

/* loadLog(object): [what libbpf said, what the verifier said] */
napi_value js_load_log(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[1], list, text;
	struct object *object;

	if (!arguments(env, info, 1, values, &instance) ||
	    !(object = handle_get(env, instance, values[0], HANDLE_OBJECT)))
		return NULL;
	napi_create_array_with_length(env, 2, &list);
	napi_create_string_utf8(env, object->heard, NAPI_AUTO_LENGTH, &text);
	napi_set_element(env, list, 0, text);
	napi_create_string_utf8(env, object->log, NAPI_AUTO_LENGTH, &text);
	napi_set_element(env, list, 1, text);
	return list;
}

struct map *object_map(napi_env env, struct instance *instance, napi_value value,
		       napi_value number)
{
	struct object *object = handle_get(env, instance, value, HANDLE_OBJECT);
	uint32_t index;

	if (!object || !get_index(env, number, object->map_count, &index))
		return NULL;
	if (object->loaded && object->map_facts[index].fd >= 0)
		return &object->map_facts[index];
	fail(env, ENOENT, "the object is not loaded");
	return NULL;
}

int object_program(napi_env env, struct instance *instance, napi_value value, napi_value number)
{
	struct object *object = handle_get(env, instance, value, HANDLE_OBJECT);
	uint32_t index;
	int fd = -1;

	if (!object || !get_index(env, number, object->program_count, &index))
		return -1;
	if (object->loaded)
		fd = libbpf()->bpf_program__fd(object->programs[index]);
	if (fd < 0)
		fail(env, ENOENT, "the program is not loaded");
	return fd < 0 ? -1 : fd;
}

/* programFd(object, program): its number for a netlink message */
napi_value js_program_fd(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[2];
	int fd;

	if (!arguments(env, info, 2, values, &instance) ||
	    (fd = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	return number(env, fd);
}
