/* Keys: the real ssh-keygen's files, and everything that is not one. */
#include <sys/wait.h>

#include "lib/buf.h"

#include "daemon/control/users.h"
#include "tests/unit/control/fixture.h"

/* Runs a program without a shell; its output, or NULL when it failed. */
static char *
output_of(const char *const *argv)
{
	struct buf out;
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], 1);
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	(void)close(fds[1]);
	buf_init(&out, 65536);
	assert_int_equal(file_read_all(fds[0], &out), 0);
	(void)close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0) {
		buf_done(&out);
		return NULL;
	}
	return buf_take(&out);
}

/* The .pub file of a fresh key of that kind. */
static char *
make_key(const char *type, const char *bits)
{
	const char *make[] = {"ssh-keygen",	   "-q", "-t",	type, "-b", bits, "-N", "", "-C",
			      "ann@l\xc3\xa4ptop", "-f", "key", NULL};
	const char *const show[] = {"cat", "key.pub", NULL};

	(void)unlink("key");
	(void)unlink("key.pub");
	free(output_of(make));
	return output_of(show);
}

static void
takes_what_ssh_keygen_makes(void **state)
{
	static const char *const kinds[][2] = {
		{"ed25519", "256"}, {"rsa", "2048"},  {"rsa", "3072"},
		{"ecdsa", "256"},   {"ecdsa", "384"}, {"ecdsa", "521"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *const list[] = {"ssh-keygen", "-lf", "key.pub", NULL};
		char *line = make_key(kinds[i][0], kinds[i][1]), *listed;
		char *blob = strchr(line, ' ') + 1;
		struct key key, found;

		assert_int_equal(keys_add(store, "ann", line, RIGHT_NONE, 0, &key, &err), 0);
		assert_string_equal(key.comment, "ann@l\xc3\xa4ptop");
		assert_int_equal(strncmp(key.blob, blob, strlen(key.blob)), 0);
		listed = output_of(list);
		assert_non_null(strstr(listed, key.fingerprint));
		assert_int_equal(strlen(key.fingerprint), 7 + 43);
		*strchr(blob, ' ') = '\0';
		assert_int_equal(keys_find(store, key.type, blob, &found, &err), 0);
		assert_string_equal(found.user, "ann");
		assert_true(found.id == key.id && found.added_ms == fixture_time);
		if (strcmp(key.type, "ssh-rsa") == 0)
			assert_int_equal(keys_find(store, "rsa-sha2-512", blob, &found, &err), 0);
		else
			assert_int_equal(keys_find(store, "ssh-rsa", blob, &found, &err), -ENOENT);
		free(listed);
		free(line);
	}
}

static void
refuses_what_is_no_key(void **state)
{
	static const struct {
		const char *line, *says;
	} table[] = {
		{"", "no public key"},
		{"ssh-ed25519", "no public key"},
		{"hello world", "no public key"},
		{"ssh-ed25519 !!!!", "no public key"},
		{"ssh-ed25519 AAAA", "damaged"},
		{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==", "damaged"},
		{"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		 "damaged"},
		{"ssh-dss AAAAB3NzaC1kc3MAAACB", "DSA"},
		{"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn", "private key"},
		{"---- BEGIN SSH2 PUBLIC KEY ----\n", "RFC 4716"},
		{"ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"},
		{"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=", "damaged"},
	};
	struct key key;
	char *line, twice[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(key_parse(table[i].line, &key, &err), -EINVAL);
		assert_says(table[i].says);
	}
	line = make_key("rsa", "1024");
	assert_int_equal(key_parse(line, &key, &err), -EINVAL);
	assert_says("1024 bits");
	free(line);
	(void)snprintf(twice, sizeof(twice), "%s\n", fixture_key(1));
	assert_int_equal(key_parse(twice, &key, &err), 0);
	(void)strcat(twice, fixture_key(2));
	assert_int_equal(key_parse(twice, &key, &err), -EINVAL);
	assert_says("one key at a time");
	/* a key that goes on behind its end */
	assert_int_equal(key_parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAA"
				   "AAAAAAAAAAAAAAAAAAAAA",
				   &key, &err),
			 -EINVAL);
}

static void
comments_are_cut_at_a_character(void **state)
{
	char line[512];
	struct key key;

	(void)state;
	(void)snprintf(line, sizeof(line), "%s", fixture_key(1));
	line[strlen(line) - strlen("somebody@laptop")] = '\0';
	(void)strcat(line, "a");
	for (int i = 0; i < 100; i++)
		(void)strcat(line, "\xc3\xa4");
	assert_int_equal(key_parse(line, &key, &err), 0);
	/* an odd number of bytes fits: the last character would be half */
	assert_int_equal(strlen(key.comment) % 2, 1);
	assert_true(strlen(key.comment) > 100);
}

static void
first_user_is_admin(void **state)
{
	struct key key;
	struct user user;

	(void)state;
	assert_int_equal(keys_add(store, "me", fixture_key(1), RIGHT_NONE, 0, &key, &err), 0);
	assert_int_equal(users_find(store, "me", &user, &err), 0);
	assert_int_equal(user.right, RIGHT_ADMIN);
	assert_int_equal(keys_add(store, "ann", fixture_key(2), RIGHT_NONE, 0, &key, &err), 0);
	assert_int_equal(users_find(store, "ann", &user, &err), 0);
	assert_int_equal(user.right, RIGHT_DEPLOY);
	assert_int_equal(keys_add(store, "bob", fixture_key(3), RIGHT_READ, 0, &key, &err), 0);
	assert_int_equal(users_find(store, "bob", &user, &err), 0);
	assert_int_equal(user.right, RIGHT_READ);
	/* another key changes nothing, unless a role is named */
	assert_int_equal(keys_add(store, "bob", fixture_key(4), RIGHT_NONE, 0, &key, &err), 0);
	assert_int_equal(users_find(store, "bob", &user, &err), 0);
	assert_int_equal(user.right, RIGHT_READ);
	assert_int_equal(keys_add(store, "bob", fixture_key(5), RIGHT_ADMIN, 0, &key, &err), 0);
	assert_int_equal(users_find(store, "bob", &user, &err), 0);
	assert_int_equal(user.right, RIGHT_ADMIN);
}

static void
role_on_one_app_only(void **state)
{
	struct app app = fixture_app("hello");
	enum right right;
	struct key key;

	(void)state;
	assert_int_equal(keys_add(store, "cat", fixture_key(1), RIGHT_NONE, app.id, &key, &err), 0);
	assert_int_equal(access_right(store, "cat", 0, &right, &err), 0);
	assert_int_equal(right, RIGHT_NONE);
	assert_int_equal(access_right(store, "cat", app.id, &right, &err), 0);
	assert_int_equal(right, RIGHT_DEPLOY);
}

static void
key_belongs_to_one_user(void **state)
{
	struct key key;
	struct user user;

	(void)state;
	assert_int_equal(keys_add(store, "ann", fixture_key(1), RIGHT_NONE, 0, &key, &err), 0);
	assert_int_equal(keys_add(store, "bob", fixture_key(1), RIGHT_NONE, 0, &key, &err),
			 -EEXIST);
	assert_says("already ann's");
	/* and no user was left behind by the refusal */
	assert_int_equal(users_find(store, "bob", &user, &err), -ENOENT);
	assert_int_equal(keys_add(store, "Ann Smith", fixture_key(2), RIGHT_NONE, 0, &key, &err),
			 -EINVAL);
}

static void
keys_and_users_are_removed(void **state)
{
	struct key first, second, other, *keys, found;
	struct user user;
	size_t n;

	(void)state;
	assert_int_equal(keys_add(store, "boss", fixture_key(1), RIGHT_NONE, 0, &other, &err), 0);
	assert_int_equal(keys_add(store, "ann", fixture_key(2), RIGHT_NONE, 0, &first, &err), 0);
	assert_int_equal(keys_add(store, "ann", fixture_key(3), RIGHT_NONE, 0, &second, &err), 0);
	assert_int_equal(keys_list(store, &keys, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(keys[0].user, "ann");
	assert_string_equal(keys[2].user, "boss");
	free(keys);
	assert_int_equal(keys_remove(store, first.fingerprint, 0, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(keys_find(store, "ssh-ed25519", first.blob, &found, &err), -ENOENT);
	assert_int_equal(users_find(store, "ann", &user, &err), 0);
	/* the last key takes its user along */
	assert_int_equal(keys_remove(store, second.fingerprint, 0, &n, &err), 0);
	assert_int_equal(users_find(store, "ann", &user, &err), -ENOENT);
	assert_int_equal(keys_remove(store, "nobody", 0, &n, &err), -ENOENT);
	assert_says("fingerprint");
	assert_int_equal(keys_remove(store, "boss", 0, &n, &err), -EINVAL);
	assert_says("only admin");
	assert_int_equal(keys_remove(store, other.fingerprint, 0, &n, &err), -EINVAL);
	assert_int_equal(keys_remove(store, "boss", 1, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(keys_list(store, &keys, &n, &err), 0);
	assert_int_equal(n, 0);
}

static void
unknown_keys_are_unknown(void **state)
{
	struct key found;
	char huge[8192];

	(void)state;
	memset(huge, 'A', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_int_equal(keys_find(store, "ssh-ed25519", "", &found, &err), -ENOENT);
	assert_int_equal(keys_find(store, "ssh-ed25519", huge, &found, &err), -ENOENT);
	assert_int_equal(keys_find(store, "nonsense", "AAAA", &found, &err), -ENOENT);
	assert_int_equal(keys_find(store, "ssh-ed25519", "' OR 1=1 --", &found, &err), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(takes_what_ssh_keygen_makes),
		STORE_TEST(refuses_what_is_no_key),
		STORE_TEST(comments_are_cut_at_a_character),
		STORE_TEST(first_user_is_admin),
		STORE_TEST(role_on_one_app_only),
		STORE_TEST(key_belongs_to_one_user),
		STORE_TEST(keys_and_users_are_removed),
		STORE_TEST(unknown_keys_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
