/* Linked into every program of a sanitized build: what LeakSanitizer is told before it starts. */

const char *__lsan_default_suppressions(void);

/* libgit2 compiles regular expressions with PCRE2's JIT, whose stacks its threads never free. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libpcre2\n";
}
