/*
 * Attaches loaded programs. Every attachment is one file descriptor; closing it detaches, so that
 * nothing of ours outlives the process. (clsact filters do: they are made in native/clsact.ts.)
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

struct iterator {
	int link;
	int pass;			/* the pass under way, or -1 */
};

static int create_link(int program, uint32_t target, uint32_t type, uint32_t flags)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.link_create.prog_fd = program;
	attributes.link_create.target_fd = target;
	attributes.link_create.attach_type = type;
	attributes.link_create.flags = flags;
	return sys_bpf(BPF_LINK_CREATE, &attributes);
}

/* link(object, program, attachType, ifindex, flags): TCX and XDP */
napi_value js_link(napi_env env, napi_callback_info info)
{
	uint32_t type, ifindex, flags;
	struct instance *instance;
	napi_value values[5];
	int program;

	if (!arguments(env, info, 5, values, &instance) ||
	    !get_u32(env, values[2], "attachType", &type) ||
	    !get_u32(env, values[3], "ifindex", &ifindex) ||
	    !get_u32(env, values[4], "flags", &flags) ||
	    (program = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	return handle_of_fd(env, instance, create_link(program, ifindex, type, flags),
			    "attach to a link");
}

/* What BPF_OBJ_GET_INFO_BY_FD says of TCX and XDP links; older headers have no TCX in theirs. */
struct link_info {
	uint32_t type;
	uint32_t id;
	uint32_t program;
	uint32_t pad;
	uint32_t ifindex;
	uint32_t attach_type;
	uint32_t rest[4];
};

/* linkTarget(link): the ifindex it is attached to, 0 after that interface is gone */
napi_value js_link_target(napi_env env, napi_callback_info info)
{
	struct link_info facts = { 0 };
	union bpf_attr attributes;
	struct instance *instance;
	napi_value values[1];
	void *fd;

	if (!arguments(env, info, 1, values, &instance) ||
	    !(fd = handle_get(env, instance, values[0], HANDLE_FD)))
		return NULL;
	memset(&attributes, 0, sizeof(attributes));
	attributes.info.bpf_fd = (int)(intptr_t)fd;
	attributes.info.info_len = sizeof(facts);
	attributes.info.info = (uintptr_t)&facts;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes) < 0)
		return fail(env, errno, "ask a link where it is");
	return number(env, facts.ifindex);
}

/* linkCgroup(object, program, attachType, path) */
napi_value js_link_cgroup(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	int program, cgroup, fd;
	napi_value values[4];
	char path[4096];
	uint32_t type;

	if (!arguments(env, info, 4, values, &instance) ||
	    !get_u32(env, values[2], "attachType", &type) ||
	    !get_text(env, values[3], "path", path, sizeof(path)) ||
	    (program = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return fail(env, errno, "open the cgroup");
	fd = create_link(program, cgroup, type, 0);
	program = errno;
	close(cgroup);
	errno = program;
	return handle_of_fd(env, instance, fd, "attach to a cgroup");
}

/* rawTracepoint(object, program, name): null for tp_btf, whose program knows its event */
napi_value js_raw_tracepoint(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	union bpf_attr attributes;
	napi_value values[3];
	char name[128];
	int program;

	if (!arguments(env, info, 3, values, &instance))
		return NULL;
	if (!is_nothing(env, values[2]) &&
	    !get_text(env, values[2], "name", name, sizeof(name)))
		return NULL;
	program = object_program(env, instance, values[0], values[1]);
	if (program < 0)
		return NULL;
	memset(&attributes, 0, sizeof(attributes));
	attributes.raw_tracepoint.prog_fd = program;
	if (!is_nothing(env, values[2]))
		attributes.raw_tracepoint.name = (uintptr_t)name;
	return handle_of_fd(env, instance, sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attributes),
			    "attach to a raw tracepoint");
}

/* tracepoint(object, program, id): id from tracefs. One event suffices for all processors. */
napi_value js_tracepoint(napi_env env, napi_callback_info info)
{
	struct perf_event_attr attributes;
	struct instance *instance;
	napi_value values[3];
	int program, fd, error;
	uint32_t id;

	if (!arguments(env, info, 3, values, &instance) ||
	    !get_u32(env, values[2], "id", &id) ||
	    (program = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	memset(&attributes, 0, sizeof(attributes));
	attributes.type = PERF_TYPE_TRACEPOINT;
	attributes.size = sizeof(attributes);
	attributes.config = id;
	attributes.sample_period = 1;
	fd = syscall(__NR_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return fail(env, errno, "open a tracepoint");
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		error = errno;
		close(fd);
		return fail(env, error, "attach to a tracepoint");
	}
	return handle_of_fd(env, instance, fd, "attach to a tracepoint");
}

/* socketFilter(object, program, ifindex): 0 is all links */
napi_value js_socket_filter(napi_env env, napi_callback_info info)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct instance *instance;
	int program, fd, error;
	napi_value values[3];
	uint32_t ifindex;

	if (!arguments(env, info, 3, values, &instance) ||
	    !get_u32(env, values[2], "ifindex", &ifindex) ||
	    (program = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	/* Protocol 0 receives nothing until bind, so no packet comes before the filter. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(env, errno, "open a packet socket");
	address.sll_protocol = htons(ETH_P_ALL);
	address.sll_ifindex = ifindex;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		error = errno;
		close(fd);
		return fail(env, error, "attach to a packet socket");
	}
	return handle_of_fd(env, instance, fd, "attach to a packet socket");
}

static void iterator_destroy(void *data)
{
	struct iterator *iterator = data;

	if (iterator->pass >= 0)
		close(iterator->pass);
	close(iterator->link);
	free(iterator);
}

/* iterator(object, program) */
napi_value js_iterator(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct iterator *iterator;
	napi_value values[2];
	int program, fd;

	if (!arguments(env, info, 2, values, &instance) ||
	    (program = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	fd = create_link(program, 0, BPF_TRACE_ITER, 0);
	if (fd < 0)
		return fail(env, errno, "attach an iterator");
	iterator = malloc(sizeof(*iterator));
	if (!iterator) {
		close(fd);
		return fail(env, ENOMEM, "attach an iterator");
	}
	*iterator = (struct iterator){ .link = fd, .pass = -1 };
	return handle_new(env, instance, HANDLE_ITERATOR, iterator, iterator_destroy);
}

/* iteratorRead(iterator, into): fewer bytes than fit means that the pass has ended */
napi_value js_iterator_read(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	struct iterator *iterator;
	union bpf_attr attributes;
	napi_value values[2];
	struct bytes into;
	size_t used = 0;
	ssize_t got = 1;

	if (!arguments(env, info, 2, values, &instance) ||
	    !(iterator = handle_get(env, instance, values[0], HANDLE_ITERATOR)) ||
	    !get_bytes(env, values[1], "into", 1, &into))
		return NULL;
	if (iterator->pass < 0) {
		memset(&attributes, 0, sizeof(attributes));
		attributes.iter_create.link_fd = iterator->link;
		iterator->pass = sys_bpf(BPF_ITER_CREATE, &attributes);
		if (iterator->pass < 0)
			return fail(env, errno, "begin a pass of an iterator");
	}
	while (used < into.length && got != 0) {
		got = read(iterator->pass, into.data + used, into.length - used);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			break;
		used += got > 0 ? got : 0;
	}
	if (used == into.length)
		return number(env, used);
	close(iterator->pass);
	iterator->pass = -1;
	return got < 0 ? fail(env, errno, "read an iterator") : number(env, used);
}
