/*
 * Registers the entry points, once for each JavaScript environment.
 *
 * Everything that an environment opened is closed when it ends, also when a worker is terminated.
 */
#include <stdlib.h>

#include "addon.h"

static void instance_end(void *data)
{
	handles_close(data);
	free(data);
}

NAPI_MODULE_INIT()
{
#define PROPERTY(function, name)                                                                   \
	{ name, NULL, js_##function, NULL, NULL, NULL, napi_enumerable, NULL },
	const napi_property_descriptor properties[] = { ENTRY_POINTS(PROPERTY) };
#undef PROPERTY
	struct instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return fail(env, ENOMEM, "load the addon");
	if (napi_set_instance_data(env, instance, NULL, NULL) != napi_ok ||
	    napi_add_env_cleanup_hook(env, instance_end, instance) != napi_ok ||
	    napi_define_properties(env, exports, sizeof(properties) / sizeof(*properties),
				   properties) != napi_ok)
		return fail(env, EINVAL, "load the addon");
	return exports;
}
