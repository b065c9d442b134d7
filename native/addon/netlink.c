/*
 * One rtnetlink request and its whole answer, as bytes (parsed in native/netlink.ts).
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "addon.h"

#define ANSWER_SECONDS 5

static int open_socket(void)
{
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* 1 when the answer is complete, 0 when more follows, -1 with errno. */
static int is_complete(const uint8_t *data, size_t length, bool is_dump)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)data;
	const struct nlmsgerr *error;

	for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if (message->nlmsg_type != NLMSG_ERROR)
			continue;
		if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error))) {
			errno = EPROTO;
			return -1;
		}
		error = NLMSG_DATA(message);
		errno = -error->error;
		return error->error ? -1 : 1;
	}
	return is_dump ? 0 : 1;
}

/* Bytes of answer in `into`, or -1; ENOBUFS when it does not fit. */
static ssize_t ask(int fd, const struct bytes *request, struct bytes *into)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)request->data;
	bool is_dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	size_t used = 0;
	ssize_t got;
	int complete;

	if (send(fd, request->data, request->length, 0) < 0)
		return -1;
	for (;;) {
		got = recv(fd, into->data + used, into->length - used, MSG_TRUNC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if ((size_t)got > into->length - used) {
			errno = ENOBUFS;
			return -1;
		}
		complete = is_complete(into->data + used, got, is_dump);
		used += NLMSG_ALIGN(got);
		if (used > into->length)
			used = into->length;
		if (complete)
			return complete < 0 ? -1 : (ssize_t)used;
	}
}

/*
 * netlink(request, into): bytes of the answer. Throws the errno that the kernel answered, ENOBUFS
 * when `into` is too small.
 */
napi_value js_netlink(napi_env env, napi_callback_info info)
{
	struct bytes request, into;
	struct instance *instance;
	napi_value values[2];
	ssize_t length;
	int fd, error;

	if (!arguments(env, info, 2, values, &instance) ||
	    !get_bytes(env, values[0], "request", sizeof(struct nlmsghdr), &request) ||
	    !get_bytes(env, values[1], "into", 4096, &into))
		return NULL;
	if ((uintptr_t)request.data % 4 != 0 || (uintptr_t)into.data % 4 != 0)
		return fail(env, EINVAL, "request and into: expected 4-byte alignment");
	fd = open_socket();
	if (fd < 0)
		return fail(env, errno, "open a netlink socket");
	length = ask(fd, &request, &into);
	error = errno;
	close(fd);
	return length < 0 ? fail(env, error, "netlink request") : number(env, length);
}
