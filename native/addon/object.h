/*
 * An opened BPF object, shared by object.c (its life) and object_facts.c (what it holds).
 */
#ifndef FOVEA_OBJECT_H
#define FOVEA_OBJECT_H

#include "addon.h"
#include "libbpf.h"

struct object {
	struct bpf_object *bpf;
	uint8_t *bytes;
	char *log;
	char *heard;
	struct bpf_map **maps;
	struct map *map_facts;
	uint32_t map_count;
	struct bpf_program **programs;
	uint32_t program_count;
	bool loaded;
	bool failed;
};

/* Reads an index below `count`; throws otherwise. */
bool get_index(napi_env env, napi_value value, uint32_t count, uint32_t *index);

/* Fills the facts of one map from libbpf. */
void learn_map(struct object *object, uint32_t index);

#endif
