/*
 * Feeds every file of a corpus to a fuzz target, so that what a fuzzer once found stays found
 * in a plain build: `fuzz_http [FILE|DIRECTORY]...`, by default tests/fuzz/corpus/<name>.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	static uint8_t bytes[1 << 20];
	/* An exact heap copy, so that a sanitizer sees one byte too far. */
	size_t n = fread(bytes, 1, sizeof(bytes), f);
	(void)fclose(f);
	uint8_t *copy = malloc(n ? n : 1);
	if (!copy)
		return -1;
	memcpy(copy, bytes, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 0;
}

static int
replay(const char *path, unsigned *n_done)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		(*n_done)++;
		return replay_file(path);
	}
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	int ret = n < 0 ? -1 : 0;
	for (int i = 0; i < n; i++) {
		char child[4096];
		if (ret == 0 && entries[i]->d_name[0] != '.') {
			(void)snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);
			ret = replay(child, n_done);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return ret;
}

int
main(int argc, char **argv)
{
	unsigned n_done = 0;
	int ret = 0;
	const char *slash = strrchr(argv[0], '/');
	const char *name = strstr(slash ? slash : argv[0], "fuzz_");
	if (argc < 2 && name) {
		char corpus[4096];
		(void)snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%s", name + 5);
		ret = replay(corpus, &n_done);
	}
	for (int i = 1; i < argc && ret == 0; i++)
		ret = replay(argv[i], &n_done);
	printf("1..1\n%s 1 - %s replayed %u inputs\n", ret == 0 && n_done > 0 ? "ok" : "not ok",
	       name ? name : argv[0], n_done);
	return ret == 0 && n_done > 0 ? 0 : 1;
}
