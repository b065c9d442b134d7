/*
 * Takes values from JavaScript with every check, and gives errors back.
 *
 * A failed check throws `EINVAL: name: what was expected`; nothing after it runs.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "addon.h"

#define NAME(error) case error: return #error;

static const char *error_name(int error, char *space, size_t size)
{
	switch (error) {
	NAME(EPERM) NAME(ENOENT) NAME(EINTR) NAME(EIO) NAME(ENXIO) NAME(E2BIG) NAME(EBADF)
	NAME(EAGAIN) NAME(ENOMEM) NAME(EACCES) NAME(EFAULT) NAME(EBUSY) NAME(EEXIST) NAME(ENODEV)
	NAME(ENOTDIR) NAME(EINVAL) NAME(ENFILE) NAME(EMFILE) NAME(ENOSPC) NAME(ERANGE)
	NAME(ENOSYS) NAME(ENODATA) NAME(EPROTO) NAME(EOVERFLOW) NAME(ELIBACC) NAME(EMSGSIZE)
	NAME(EOPNOTSUPP) NAME(EAFNOSUPPORT) NAME(EADDRINUSE) NAME(ENETDOWN) NAME(ENOBUFS)
	NAME(ETIMEDOUT) NAME(ESRCH) NAME(EISDIR) NAME(ENOTTY) NAME(ELOOP) NAME(ENAMETOOLONG)
	case ERRNO_NOT_SUPPORTED:
		return "ENOTSUPP";
	}
	snprintf(space, size, "E%d", error);
	return space;
}

napi_value fail(napi_env env, int error, const char *what)
{
	char text[512], space[16];
	const char *name = error_name(error, space, sizeof(space));

	snprintf(text, sizeof(text), "%s: %s", name, what);
	napi_throw_error(env, name, text);
	return NULL;
}

static bool expected(napi_env env, const char *name, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: expected %s", name, what);
	fail(env, EINVAL, text);
	return false;
}

bool arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values,
	       struct instance **instance)
{
	size_t given = count;

	if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok ||
	    napi_get_instance_data(env, (void **)instance) != napi_ok || !*instance)
		return expected(env, "arguments", "a living environment");
	if (given < count)
		return expected(env, "arguments", "more of them");
	return true;
}

bool get_u32(napi_env env, napi_value value, const char *name, uint32_t *out)
{
	double given;

	if (napi_get_value_double(env, value, &given) != napi_ok || !(given >= 0) ||
	    given > UINT32_MAX || given != floor(given))
		return expected(env, name, "a whole number of 32 bits");
	*out = given;
	return true;
}

bool get_bytes(napi_env env, napi_value value, const char *name, size_t least, struct bytes *out)
{
	napi_typedarray_type type;
	bool is_array = false;
	char text[64];
	void *data;

	if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
	    napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) !=
		    napi_ok ||
	    type != napi_uint8_array)
		return expected(env, name, "a Uint8Array");
	if (!data)			/* empty or detached */
		out->length = 0;
	out->data = data;
	if (out->length >= least)
		return true;
	snprintf(text, sizeof(text), "at least %zu bytes", least);
	return expected(env, name, text);
}

bool get_text(napi_env env, napi_value value, const char *name, char *out, size_t size)
{
	size_t length;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok ||
	    length >= size ||
	    napi_get_value_string_utf8(env, value, out, size, &length) != napi_ok ||
	    strlen(out) != length)
		return expected(env, name, "a short string");
	return true;
}

bool is_nothing(napi_env env, napi_value value)
{
	napi_valuetype type;

	return napi_typeof(env, value, &type) == napi_ok &&
	       (type == napi_null || type == napi_undefined);
}

napi_value number(napi_env env, double value)
{
	napi_value result = NULL;

	napi_create_double(env, value, &result);
	return result;
}
