/*
 * A thread that sleeps until links, routes or traffic control change, and then wakes JavaScript.
 *
 * Many changes while JavaScript has not yet looked are one call. The thread holds no lock and never
 * touches JavaScript but through its thread-safe function, which does not keep the process alive.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

struct watch {
	napi_env env;
	struct instance *instance;
	napi_threadsafe_function wake;
	pthread_t thread;
	int netlink;
	int stop;
	int is_pending;			/* a call is on its way and has not begun */
};

static void *watch_thread(void *data)
{
	struct watch *watch = data;
	struct pollfd polled[2] = {
		{ .fd = watch->netlink, .events = POLLIN },
		{ .fd = watch->stop, .events = POLLIN },
	};
	uint8_t space[16384];

	for (;;) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (polled[1].revents)
			return NULL;
		if (!polled[0].revents)
			continue;
		/* ENOBUFS says that events were lost: a change as well. */
		while (recv(watch->netlink, space, sizeof(space), MSG_DONTWAIT) > 0)
			;
		if (!__atomic_exchange_n(&watch->is_pending, 1, __ATOMIC_ACQ_REL))
			napi_call_threadsafe_function(watch->wake, NULL, napi_tsfn_nonblocking);
	}
}

static void call_javascript(napi_env env, napi_value callback, void *context, void *data)
{
	struct watch *watch = context;
	napi_value undefined;

	(void)data;
	/* Cleared first: what changes from here on is a new call. */
	__atomic_store_n(&watch->is_pending, 0, __ATOMIC_RELEASE);
	if (!env || !callback || napi_get_undefined(env, &undefined) != napi_ok)
		return;
	napi_call_function(env, undefined, callback, 0, NULL, NULL);
}

static void watch_free(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	free(data);
}

static void stop_thread(struct watch *watch)
{
	uint64_t one = 1;

	if (write(watch->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(watch->thread, NULL);
	close(watch->netlink);
	close(watch->stop);
}

/*
 * The environment ends before anybody closed the watch. Runs before the thread-safe function's own
 * clean-up, which frees the watch.
 */
static void watch_environment_end(void *data)
{
	struct watch *watch = data;

	handle_forget(watch->instance, watch);
	stop_thread(watch);
}

static void watch_destroy(void *data)
{
	struct watch *watch = data;

	napi_remove_env_cleanup_hook(watch->env, watch_environment_end, watch);
	stop_thread(watch);
	napi_release_threadsafe_function(watch->wake, napi_tsfn_abort);
}

static int open_netlink(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int error;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static bool make_wake(napi_env env, napi_value callback, struct watch *watch)
{
	napi_value name;

	return napi_create_string_utf8(env, "fovea links", NAPI_AUTO_LENGTH, &name) == napi_ok &&
	       napi_create_threadsafe_function(env, callback, NULL, name, 0, 1, watch, watch_free,
					       watch, call_javascript, &watch->wake) == napi_ok &&
	       napi_unref_threadsafe_function(env, watch->wake) == napi_ok;
}

static int start_thread(struct watch *watch)
{
	sigset_t all, before;
	int error;

	/* Signals belong to the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&watch->thread, NULL, watch_thread, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* watch(callback): handle */
napi_value js_watch(napi_env env, napi_callback_info info)
{
	struct instance *instance;
	napi_value values[1];
	napi_valuetype type;
	struct watch *watch;
	int error;

	if (!arguments(env, info, 1, values, &instance))
		return NULL;
	if (napi_typeof(env, values[0], &type) != napi_ok || type != napi_function)
		return fail(env, EINVAL, "callback: expected a function");
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return fail(env, ENOMEM, "watch links");
	watch->env = env;
	watch->instance = instance;
	watch->netlink = open_netlink();
	error = errno;
	watch->stop = eventfd(0, EFD_CLOEXEC);
	if (watch->netlink < 0 || watch->stop < 0 || !make_wake(env, values[0], watch)) {
		if (watch->netlink >= 0)
			close(watch->netlink);
		if (watch->stop >= 0)
			close(watch->stop);
		free(watch);
		return fail(env, error ? error : EMFILE, "watch links");
	}
	error = start_thread(watch);
	if (error) {
		close(watch->netlink);
		close(watch->stop);
		napi_release_threadsafe_function(watch->wake, napi_tsfn_abort);
		return fail(env, error, "watch links");
	}
	napi_add_env_cleanup_hook(env, watch_environment_end, watch);
	return handle_new(env, instance, HANDLE_WATCH, watch, watch_destroy);
}
