/*
 * A BPF object file: open, set up, load, close.
 *
 * Maps and programs are named by their index in `maps()` and `programs()`. Until `load` an object
 * can be changed; after it, its maps and programs have file descriptors that live until `close`.
 */
#include <stdlib.h>
#include <string.h>

#include "object.h"

#define LOG_SIZE (256 * 1024)		/* the verifier keeps the end when its log is longer */
#define HEARD_SIZE (8 * 1024)

static void object_destroy(void *data)
{
	struct object *object = data;

	if (object->bpf)
		libbpf()->bpf_object__close(object->bpf);
	free(object->bytes);
	free(object->log);
	free(object->heard);
	free(object->maps);
	free(object->map_facts);
	free(object->programs);
	free(object);
}

static bool list_parts(struct object *object)
{
	const struct libbpf *bpf = libbpf();
	struct bpf_program *program = NULL;
	struct bpf_map *map = NULL;

	while ((map = bpf->bpf_object__next_map(object->bpf, map)))
		object->map_count++;
	while ((program = bpf->bpf_object__next_program(object->bpf, program)))
		object->program_count++;
	object->maps = calloc(object->map_count + 1, sizeof(*object->maps));
	object->map_facts = calloc(object->map_count + 1, sizeof(*object->map_facts));
	object->programs = calloc(object->program_count + 1, sizeof(*object->programs));
	if (!object->maps || !object->map_facts || !object->programs)
		return false;
	for (uint32_t i = 0; i < object->map_count; i++)
		map = object->maps[i] = bpf->bpf_object__next_map(object->bpf, i ? map : NULL);
	for (uint32_t i = 0; i < object->program_count; i++)
		program = object->programs[i] =
			bpf->bpf_object__next_program(object->bpf, i ? program : NULL);
	return true;
}

static int object_open(struct object *object, const struct bytes *bytes, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = name);

	object->bytes = malloc(bytes->length + 1);
	object->log = calloc(1, LOG_SIZE);
	object->heard = calloc(1, HEARD_SIZE);
	if (!object->bytes || !object->log || !object->heard)
		return ENOMEM;
	memcpy(object->bytes, bytes->data, bytes->length);
	options.kernel_log_buf = object->log;
	options.kernel_log_size = LOG_SIZE;
	libbpf_listen(object->heard, HEARD_SIZE);
	object->bpf = libbpf()->bpf_object__open_mem(object->bytes, bytes->length, &options);
	libbpf_listen_end();
	if (!object->bpf)
		return errno ? errno : EINVAL;
	return list_parts(object) ? 0 : ENOMEM;
}

/* open(bytes, name): handle */
napi_value js_open(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct object *object;
	napi_value values[2];
	struct bytes bytes;
	char name[64];
	int error;

	if (!arguments(env, info, 2, values, &instance) ||
	    !get_bytes(env, values[0], "bytes", 1, &bytes) ||
	    !get_text(env, values[1], "name", name, sizeof(name)))
		return NULL;
	if (!libbpf())
		return fail(env, ELIBACC, libbpf_problem());
	object = calloc(1, sizeof(*object));
	if (!object)
		return fail(env, ENOMEM, "open an object");
	error = object_open(object, &bytes, name);
	if (error) {
		fail(env, error, object->heard ? object->heard : "open an object");
		object_destroy(object);
		return NULL;
	}
	return handle_new(env, instance, HANDLE_OBJECT, object, object_destroy);
}

/* The object while it can still be changed, or NULL after a throw. */
static struct object *unloaded(napi_env env, struct instance *instance, napi_value value)
{
	struct object *object = handle_get(env, instance, value, HANDLE_OBJECT);

	if (object && (object->loaded || object->failed)) {
		fail(env, EBUSY, "the object is loaded already");
		return NULL;
	}
	return object;
}

/* setInitial(object, map, offset, bytes): writes into a data section before load */
napi_value js_set_initial(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct object *object;
	napi_value values[4];
	uint32_t index, offset;
	struct bytes bytes;
	size_t size = 0;
	uint8_t *data;

	if (!arguments(env, info, 4, values, &instance) ||
	    !(object = unloaded(env, instance, values[0])) ||
	    !get_index(env, values[1], object->map_count, &index) ||
	    !get_u32(env, values[2], "offset", &offset) ||
	    !get_bytes(env, values[3], "bytes", 1, &bytes))
		return NULL;
	data = (uint8_t *)libbpf()->bpf_map__initial_value(object->maps[index], &size);
	if (!data || offset > size || bytes.length > size - offset)
		return fail(env, ERANGE, "the bytes lie outside the data section");
	memcpy(data + offset, bytes.data, bytes.length);
	return NULL;
}

/* setMapSize(object, map, entries) */
napi_value js_set_map_size(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct object *object;
	uint32_t index, entries;
	napi_value values[3];
	int error;

	if (!arguments(env, info, 3, values, &instance) ||
	    !(object = unloaded(env, instance, values[0])) ||
	    !get_index(env, values[1], object->map_count, &index) ||
	    !get_u32(env, values[2], "entries", &entries))
		return NULL;
	error = libbpf()->bpf_map__set_max_entries(object->maps[index], entries);
	return error ? fail(env, -error, "set the size of a map") : NULL;
}

/* setAutoload(object, program, on): 0 leaves the program out */
napi_value js_set_autoload(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct object *object;
	napi_value values[3];
	uint32_t index, on;

	if (!arguments(env, info, 3, values, &instance) ||
	    !(object = unloaded(env, instance, values[0])) ||
	    !get_index(env, values[1], object->program_count, &index) ||
	    !get_u32(env, values[2], "on", &on))
		return NULL;
	libbpf()->bpf_program__set_autoload(object->programs[index], on != 0);
	return NULL;
}

/* load(object): throws the errno; `loadLog` then has the words */
napi_value js_load(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct object *object;
	napi_value values[1];
	int error;

	if (!arguments(env, info, 1, values, &instance) ||
	    !(object = unloaded(env, instance, values[0])))
		return NULL;
	libbpf_listen(object->heard, HEARD_SIZE);
	error = libbpf()->bpf_object__load(object->bpf);
	libbpf_listen_end();
	object->loaded = error == 0;
	object->failed = error != 0;
	if (error)
		return fail(env, -error, "load the object");
	for (uint32_t i = 0; i < object->map_count; i++)
		learn_map(object, i);
	free(object->bytes);
	object->bytes = NULL;
	return NULL;
}
