/* The command line of an ssh client: whatever it is, a git command names an app and nothing else.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"
#include "lib/name.h"

#include "daemon/receiver/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command command;
	struct err err = {0};

	if (command_parse(&command, (const char *)data, size, &err) < 0) {
		/* The sentence goes to a terminal. */
		assert(err.text[0] != '\0');
		for (const char *p = err.text; *p; p++)
			assert(*p >= ' ' && *p < 0x7f);
		assert(!command.memory && !command.argv);
		return 0;
	}
	if (command.kind == COMMAND_PAAS) {
		size_t n = 0, bytes = 0;

		for (; command.argv[n]; n++)
			bytes += n ? strlen(command.argv[n]) + 1 : 0;
		assert(n == command.n_words + 1 && n <= COMMAND_MAX_WORDS + 1);
		assert(bytes <= size + 1);
	} else {
		assert(!name_check_app(command.app));
	}
	command_done(&command);
	return 0;
}
