/* Linked into every unit test: TEST_CASE picks the cases that match, as `make check T= K=` sets it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void
choose_cases(void)
{
	cmocka_set_test_filter(getenv("TEST_CASE"));
}
