/*
 * Runs programs on given bytes, and asks the kernel whether it would take a program.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addon.h"

#define REPEAT_MAX 100000000u
#define CONTEXT_MAX 4096

/* testRun(object, program, data, context | null, repeat, flags): [return value, ns of one run] */
napi_value js_test_run(napi_env env, napi_callback_info info)
{
	struct bytes data, context = { NULL, 0 };
	uint8_t context_out[CONTEXT_MAX];
	struct instance *instance;
	union bpf_attr attributes;
	uint32_t repeat, flags;
	napi_value values[6], list;
	int program;

	if (!arguments(env, info, 6, values, &instance) ||
	    !get_bytes(env, values[2], "data", 0, &data) ||
	    (!is_nothing(env, values[3]) &&
	     !get_bytes(env, values[3], "context", 0, &context)) ||
	    !get_u32(env, values[4], "repeat", &repeat) ||
	    !get_u32(env, values[5], "flags", &flags) ||
	    (program = object_program(env, instance, values[0], values[1])) < 0)
		return NULL;
	if (repeat > REPEAT_MAX || context.length > CONTEXT_MAX || data.length > UINT32_MAX)
		return fail(env, EINVAL, "too many repeats or bytes");
	memset(&attributes, 0, sizeof(attributes));
	attributes.test.prog_fd = program;
	attributes.test.data_in = (uintptr_t)data.data;
	attributes.test.data_size_in = data.length;
	attributes.test.repeat = repeat;
	attributes.test.flags = flags;
	if (context.length > 0) {
		attributes.test.ctx_in = (uintptr_t)context.data;
		attributes.test.ctx_size_in = context.length;
		/* The kernel writes the context back; live frames refuse a place for it. */
		if (!flags) {
			attributes.test.ctx_out = (uintptr_t)context_out;
			attributes.test.ctx_size_out = sizeof(context_out);
		}
	}
	if (sys_bpf(BPF_PROG_TEST_RUN, &attributes) < 0)
		return fail(env, errno, "run a program on test data");
	napi_create_array_with_length(env, 2, &list);
	napi_set_element(env, list, 0, number(env, attributes.test.retval));
	napi_set_element(env, list, 1, number(env, attributes.test.duration));
	return list;
}

/*
 * tryProgram(type, attachType, attachBtfId, instructions, log): true when the kernel loads it; the
 * program is closed at once. False leaves the verifier's words in `log`, ended by a zero.
 */
napi_value js_try_program(napi_env env, napi_callback_info info)
{
	uint32_t type, attach_type, btf_id;
	struct bytes instructions, log;
	struct instance *instance;
	union bpf_attr attributes;
	napi_value values[5], result;
	int fd;

	if (!arguments(env, info, 5, values, &instance) ||
	    !get_u32(env, values[0], "type", &type) ||
	    !get_u32(env, values[1], "attachType", &attach_type) ||
	    !get_u32(env, values[2], "attachBtfId", &btf_id) ||
	    !get_bytes(env, values[3], "instructions", 8, &instructions) ||
	    !get_bytes(env, values[4], "log", 128, &log))
		return NULL;
	if (instructions.length > 4096 * 8 || log.length > (1u << 24))
		return fail(env, EINVAL, "too many instructions or bytes of log");
	memset(&attributes, 0, sizeof(attributes));
	attributes.prog_type = type;
	attributes.expected_attach_type = attach_type;
	attributes.attach_btf_id = btf_id;
	attributes.insns = (uintptr_t)instructions.data;
	attributes.insn_cnt = instructions.length / 8;
	attributes.license = (uintptr_t)"GPL";
	attributes.log_buf = (uintptr_t)log.data;
	attributes.log_size = log.length;
	attributes.log_level = 1;
	memset(log.data, 0, log.length);
	fd = sys_bpf(BPF_PROG_LOAD, &attributes);
	if (fd < 0 && !log.data[0])
		return fail(env, errno, "try a program");
	if (fd >= 0)
		close(fd);
	napi_get_boolean(env, fd >= 0, &result);
	return result;
}
