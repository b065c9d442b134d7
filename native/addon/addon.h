/*
 * What the files of the addon share: arguments, errors, handles and the libbpf table.
 *
 * The addon moves bytes between JavaScript and the kernel and knows no struct of a receiver. Every
 * entry point checks its arguments itself and throws an Error whose `code` is an errno name, so
 * that no value from JavaScript can crash the process.
 */
#ifndef FOVEA_ADDON_H
#define FOVEA_ADDON_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>
#include <node_api.h>

#define ERRNO_NOT_SUPPORTED 524		/* the kernel's ENOTSUPP, in no user header */

/* What a handle may name. A handle is a number, so JavaScript can neither forge nor dangle it. */
enum handle_kind {
	HANDLE_NONE,
	HANDLE_OBJECT,
	HANDLE_FD,
	HANDLE_ITERATOR,
	HANDLE_RING,
	HANDLE_WATCH,
};

struct slot {
	enum handle_kind kind;
	uint32_t generation;
	void *data;
	void (*destroy)(void *data);
};

/* One per JavaScript environment (main thread or worker). */
struct instance {
	struct slot *slots;
	uint32_t used;
};

struct bytes {
	uint8_t *data;
	size_t length;
};

/* A map of a loaded object, found by index. */
struct map {
	int fd;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;		/* as user space sees it */
	uint32_t entries_max;
	bool no_batch;			/* this kernel has no batch look-up for it */
	bool no_take;
};

struct object;

/* arguments.c: on failure all of these throw and return false */
bool arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values,
	       struct instance **instance);
bool get_u32(napi_env env, napi_value value, const char *name, uint32_t *out);
bool get_bytes(napi_env env, napi_value value, const char *name, size_t least, struct bytes *out);
bool get_text(napi_env env, napi_value value, const char *name, char *out, size_t size);
bool is_nothing(napi_env env, napi_value value);
napi_value number(napi_env env, double value);
napi_value fail(napi_env env, int error, const char *what);

/* handles.c */
napi_value handle_new(napi_env env, struct instance *instance, enum handle_kind kind, void *data,
		      void (*destroy)(void *data));
/* A handle for a file descriptor; -1 throws errno with `what`. */
napi_value handle_of_fd(napi_env env, struct instance *instance, int fd, const char *what);
void *handle_get(napi_env env, struct instance *instance, napi_value value, enum handle_kind kind);
/* Forgets the handle of `data` without destroying it. */
void handle_forget(struct instance *instance, void *data);
void handles_close(struct instance *instance);
napi_value js_close(napi_env env, napi_callback_info info);

/* object.c */
struct map *object_map(napi_env env, struct instance *instance, napi_value object,
		       napi_value index);
/* The program's file descriptor, or -1 after a throw. */
int object_program(napi_env env, struct instance *instance, napi_value object, napi_value index);

/* system.c */
int sys_bpf(int command, union bpf_attr *attributes);

/* The functions that JavaScript sees. */
#define ENTRY_POINTS(X)                                                                            \
	X(libbpf, "libbpf")                                                                        \
	X(open, "open")                                                                            \
	X(programs, "programs")                                                                    \
	X(maps, "maps")                                                                            \
	X(set_initial, "setInitial")                                                               \
	X(set_map_size, "setMapSize")                                                              \
	X(set_autoload, "setAutoload")                                                             \
	X(load, "load")                                                                            \
	X(load_log, "loadLog")                                                                     \
	X(program_fd, "programFd")                                                                 \
	X(link, "link")                                                                            \
	X(link_target, "linkTarget")                                                               \
	X(link_cgroup, "linkCgroup")                                                               \
	X(raw_tracepoint, "rawTracepoint")                                                         \
	X(tracepoint, "tracepoint")                                                                \
	X(socket_filter, "socketFilter")                                                           \
	X(iterator, "iterator")                                                                    \
	X(iterator_read, "iteratorRead")                                                           \
	X(map_read_batch, "mapReadBatch")                                                          \
	X(map_lookup, "mapLookup")                                                                 \
	X(map_update, "mapUpdate")                                                                 \
	X(map_delete, "mapDelete")                                                                 \
	X(map_take, "mapTake")                                                                     \
	X(ring_open, "ringOpen")                                                                   \
	X(ring_drain, "ringDrain")                                                                 \
	X(test_run, "testRun")                                                                     \
	X(try_program, "tryProgram")                                                               \
	X(clock, "clock")                                                                          \
	X(claim, "claim")                                                                          \
	X(netlink, "netlink")                                                                      \
	X(watch, "watch")                                                                          \
	X(close, "close")

#define DECLARE(function, name) napi_value js_##function(napi_env env, napi_callback_info info);
ENTRY_POINTS(DECLARE)
#undef DECLARE

#endif
