/*
 * The part of libbpf that the addon calls, as one table of functions.
 *
 * In a checkout the table is filled from the system's libbpf.so.1 at first use, so that a machine
 * without it gets a sentence and no failed `require`; a release is compiled with
 * FOVEA_LIBBPF_INSIDE and fills it from the libbpf linked into the addon.
 */
#ifndef FOVEA_LIBBPF_H
#define FOVEA_LIBBPF_H

#include <bpf/libbpf.h>

#define LIBBPF_FUNCTIONS(X)                                                                        \
	X(libbpf_major_version)                                                                    \
	X(libbpf_minor_version)                                                                    \
	X(libbpf_set_print)                                                                        \
	X(libbpf_num_possible_cpus)                                                                \
	X(bpf_object__open_mem)                                                                    \
	X(bpf_object__load)                                                                        \
	X(bpf_object__close)                                                                       \
	X(bpf_object__next_map)                                                                    \
	X(bpf_object__next_program)                                                                \
	X(bpf_map__name)                                                                           \
	X(bpf_map__fd)                                                                             \
	X(bpf_map__type)                                                                           \
	X(bpf_map__key_size)                                                                       \
	X(bpf_map__value_size)                                                                     \
	X(bpf_map__max_entries)                                                                    \
	X(bpf_map__set_max_entries)                                                                \
	X(bpf_map__initial_value)                                                                  \
	X(bpf_program__name)                                                                       \
	X(bpf_program__fd)                                                                         \
	X(bpf_program__type)                                                                       \
	X(bpf_program__set_autoload)

struct libbpf {
#define MEMBER(name) __typeof__(&name) name;
	LIBBPF_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* The table, or NULL; then `libbpf_problem()` is a sentence. */
const struct libbpf *libbpf(void);
const char *libbpf_problem(void);

/* Collects what libbpf prints on this thread between the two calls, newest text last. */
void libbpf_listen(char *text, size_t size);
void libbpf_listen_end(void);

#endif
