/*
 * Numbers in place of pointers.
 *
 * A handle is an index and a generation. A closed, foreign or invented number finds no slot, so it
 * throws EBADF and can never reach freed memory.
 */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "addon.h"

#define SLOTS_MAX (1u << 20)

static struct slot *find(struct instance *instance, double handle)
{
	double generation = floor(handle / SLOTS_MAX);
	double index = handle - generation * SLOTS_MAX;
	struct slot *slot;

	if (!(index >= 0) || !(index < instance->used) || index != floor(index))
		return NULL;
	slot = &instance->slots[(uint32_t)index];
	return slot->kind != HANDLE_NONE && slot->generation == generation ? slot : NULL;
}

static struct slot *free_slot(struct instance *instance)
{
	struct slot *grown;

	for (uint32_t i = 0; i < instance->used; i++)
		if (instance->slots[i].kind == HANDLE_NONE)
			return &instance->slots[i];
	if (instance->used == SLOTS_MAX)
		return NULL;
	grown = realloc(instance->slots, (instance->used + 1) * sizeof(*grown));
	if (!grown)
		return NULL;
	instance->slots = grown;
	grown[instance->used] = (struct slot){ .generation = 0 };
	return &grown[instance->used++];
}

napi_value handle_new(napi_env env, struct instance *instance, enum handle_kind kind, void *data,
		      void (*destroy)(void *data))
{
	struct slot *slot = free_slot(instance);

	if (!slot) {
		destroy(data);
		return fail(env, ENOMEM, "open one more handle");
	}
	slot->kind = kind;
	slot->generation++;
	slot->data = data;
	slot->destroy = destroy;
	return number(env, (double)slot->generation * SLOTS_MAX + (slot - instance->slots));
}

static void close_fd(void *data)
{
	close((int)(intptr_t)data);
}

napi_value handle_of_fd(napi_env env, struct instance *instance, int fd, const char *what)
{
	if (fd < 0)
		return fail(env, errno, what);
	return handle_new(env, instance, HANDLE_FD, (void *)(intptr_t)fd, close_fd);
}

void *handle_get(napi_env env, struct instance *instance, napi_value value, enum handle_kind kind)
{
	struct slot *slot = NULL;
	double handle;

	if (napi_get_value_double(env, value, &handle) == napi_ok)
		slot = find(instance, handle);
	if (slot && slot->kind == kind)
		return slot->data;
	fail(env, EBADF, "the handle is closed or of another kind");
	return NULL;
}

static void slot_close(struct slot *slot)
{
	slot->kind = HANDLE_NONE;
	slot->destroy(slot->data);
}

void handle_forget(struct instance *instance, void *data)
{
	for (uint32_t i = 0; i < instance->used; i++)
		if (instance->slots[i].kind != HANDLE_NONE && instance->slots[i].data == data)
			instance->slots[i].kind = HANDLE_NONE;
}

void handles_close(struct instance *instance)
{
	for (uint32_t i = instance->used; i-- > 0;)
		if (instance->slots[i].kind != HANDLE_NONE)
			slot_close(&instance->slots[i]);
	free(instance->slots);
	instance->slots = NULL;
	instance->used = 0;
}

/* close(handle): true when there was something to close; safe twice. */
napi_value js_close(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[1], result;
	struct slot *slot;
	double handle;

	if (!arguments(env, info, 1, values, &instance))
		return NULL;
	if (napi_get_value_double(env, values[0], &handle) != napi_ok)
		return fail(env, EINVAL, "handle: expected a number");
	slot = find(instance, handle);
	if (slot)
		slot_close(slot);
	napi_get_boolean(env, slot != NULL, &result);
	return result;
}
