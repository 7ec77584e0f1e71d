/*
 * What the sanitizers are to do in `make sanitized`; in no other build.
 *
 * Findings go to files, FINDINGS.pid, because the standard error of two of the
 * three processes belongs to the program.  Once the root has changed there is
 * no such folder, and a finding shows in the end of its process alone.  Leaks
 * cannot be looked for: that needs ptrace(2), which a process that is not
 * dumpable forbids, and nothing here allocates.
 */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:detect_stack_use_after_return=1:"
	       "strict_string_checks=1:log_path=" FINDINGS;
}

const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1:log_path=" FINDINGS;
}
