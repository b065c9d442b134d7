/*
 * Fills the libbpf table, from the system's library or from the one inside.
 *
 * libbpf's print function is one for the process, so it writes to a buffer that belongs to the
 * calling thread; workers that load objects at the same time do not mix their messages.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "addon.h"
#include "libbpf.h"

static struct libbpf table;
static char problem[256];
static pthread_once_t filled = PTHREAD_ONCE_INIT;
static __thread char *heard;
static __thread size_t heard_size;

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	size_t used;

	if (!heard || level > LIBBPF_INFO)
		return 0;
	used = strlen(heard);
	if (used + 1 < heard_size)
		vsnprintf(heard + used, heard_size - used, format, arguments);
	return 0;
}

void libbpf_listen(char *text, size_t size)
{
	text[0] = 0;
	heard = text;
	heard_size = size;
}

void libbpf_listen_end(void)
{
	heard = NULL;
}

#ifdef FOVEA_LIBBPF_INSIDE
static bool find_functions(void)
{
#define FILL(name) table.name = name;
	LIBBPF_FUNCTIONS(FILL)
#undef FILL
	return true;
}
#else
static bool find_function(void *library, const char *name, void **function)
{
	*function = dlsym(library, name);
	if (!*function)
		snprintf(problem, sizeof(problem), "libbpf.so.1 is too old: it has no %s", name);
	return *function != NULL;
}

static bool find_functions(void)
{
	void *library = dlopen("libbpf.so.1", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		snprintf(problem, sizeof(problem), "libbpf.so.1 is missing (%s)", dlerror());
		return false;
	}
#define FILL(name)                                                                                 \
	if (!find_function(library, #name, (void **)&table.name))                                  \
		return false;
	LIBBPF_FUNCTIONS(FILL)
#undef FILL
	return true;
}
#endif

static void fill(void)
{
	unsigned int version;

	if (!find_functions())
		return;
	version = table.libbpf_major_version() * 1000 + table.libbpf_minor_version();
	if (version < 1001)
		snprintf(problem, sizeof(problem), "libbpf %u.%u is too old: 1.1 is needed",
			 version / 1000, version % 1000);
	else
		table.libbpf_set_print(print);
}

const struct libbpf *libbpf(void)
{
	pthread_once(&filled, fill);
	return problem[0] ? NULL : &table;
}

const char *libbpf_problem(void)
{
	return problem;
}

/* libbpf(): its version, "1.1"; throws ELIBACC with a sentence when it cannot be used. */
napi_value js_libbpf(napi_env env, napi_callback_info info)
{
	const struct libbpf *bpf = libbpf();
	napi_value result;
	char text[32];

	(void)info;
	if (!bpf)
		return fail(env, ELIBACC, problem);
	snprintf(text, sizeof(text), "%u.%u", bpf->libbpf_major_version(),
		 bpf->libbpf_minor_version());
	napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
	return result;
}
