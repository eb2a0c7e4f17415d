/*
 * Written through our own file functions, since libssh would create the file readable first
 * and in place. RSA is there for clients without ed25519; it only signs with SHA-2.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/err.h"
#include "lib/file.h"

#include "daemon/receiver/hostkeys.h"

#define RSA_BITS 3072

static const struct {
	const char *file;
	enum ssh_keytypes_e type;
	int bits;
} keys[] = {
	{"ed25519_key", SSH_KEYTYPE_ED25519, 0},
	{"rsa_key", SSH_KEYTYPE_RSA, RSA_BITS},
};

static int
make_key(int dir_fd, size_t i, struct err *err)
{
	ssh_key key = NULL;
	char *text = NULL;
	int ret = -EIO;

	/* The RSA key goes to PEM: libssh 0.10 writes no other form of it. */
	if (ssh_pki_generate(keys[i].type, keys[i].bits, &key) != SSH_OK ||
	    ssh_pki_export_privkey_base64(key, NULL, NULL, NULL, &text) != SSH_OK || !text) {
		(void)err_say(err, ret, "the host key %s could not be generated", keys[i].file);
	} else {
		ret = file_replace_at(dir_fd, keys[i].file, text, strlen(text), 0600);
		if (ret < 0)
			(void)err_set(err, ret, "write %s", keys[i].file);
	}
	if (text) {
		explicit_bzero(text, strlen(text));
		ssh_string_free_char(text);
	}
	ssh_key_free(key);
	return ret;
}

int
hostkeys_make(int dir_fd, struct err *err)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct stat st;

		if (fstatat(dir_fd, keys[i].file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (errno != ENOENT)
			return err_set(err, -errno, "look at %s", keys[i].file);
		int ret = make_key(dir_fd, i, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int
load_key(ssh_bind bind, const char *file, struct err *err)
{
	ssh_key key = NULL;

	if (ssh_pki_import_privkey_file(file, NULL, NULL, NULL, &key) != SSH_OK)
		return err_say(err, -EIO,
			       "the host key %s cannot be read; if it is broken, remove it and "
			       "restart paasd",
			       file);
	/* The bind owns the key from here on. */
	if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) != SSH_OK) {
		ssh_key_free(key);
		return err_say(err, -EIO, "the host key %s is of no use: %s", file,
			       ssh_get_error(bind));
	}
	return 0;
}

int
hostkeys_load(ssh_bind bind, struct err *err)
{
	static const char ciphers[] = "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,"
				      "aes128-gcm@openssh.com,aes256-ctr,aes128-ctr";
	static const char macs[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
				   "hmac-sha2-256,hmac-sha2-512";
	static const struct {
		enum ssh_bind_options_e option;
		const char *value;
	} options[] = {
		/* OpenSSH tells only its like that nobody reads its output any more, see session.c.
		 */
		{SSH_BIND_OPTIONS_BANNER, "OpenSSH-compatible_paas_" PAAS_VERSION},
		{SSH_BIND_OPTIONS_KEY_EXCHANGE,
		 "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
		 "ecdh-sha2-nistp384,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512"},
		{SSH_BIND_OPTIONS_HOSTKEY_ALGORITHMS, "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"},
		{SSH_BIND_OPTIONS_CIPHERS_C_S, ciphers},
		{SSH_BIND_OPTIONS_CIPHERS_S_C, ciphers},
		{SSH_BIND_OPTIONS_HMAC_C_S, macs},
		{SSH_BIND_OPTIONS_HMAC_S_C, macs},
		{SSH_BIND_OPTIONS_PUBKEY_ACCEPTED_KEY_TYPES,
		 "ssh-ed25519,sk-ssh-ed25519@openssh.com,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
		 "ecdsa-sha2-nistp521,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,"
		 "rsa-sha2-256"},
	};
	bool process_config = false;

	/* The host's own libssh configuration is not about us. */
	if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &process_config) != SSH_OK)
		return err_say(err, -EIO, "libssh: %s", ssh_get_error(bind));
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		if (ssh_bind_options_set(bind, options[i].option, options[i].value) != SSH_OK)
			return err_say(err, -EIO, "libssh refuses the algorithms %s: %s",
				       options[i].value, ssh_get_error(bind));
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		int ret = load_key(bind, keys[i].file, err);

		if (ret < 0)
			return ret;
	}
	return 0;
}
