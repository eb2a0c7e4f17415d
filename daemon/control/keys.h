/* Public keys of users: ed25519, RSA of 2048 bits and more, ECDSA, and their hardware-backed
 * kinds. A key belongs to exactly one user. */
#ifndef CONTROL_KEYS_H
#define CONTROL_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/control/access.h"
#include "daemon/control/apps.h"

struct err;
struct store;

#define KEY_FINGERPRINT_MAX 64
#define KEY_BLOB_MAX 4096 /* of the base64 text */

struct key {
	int64_t id;
	char user[USER_NAME_MAX + 1];
	char type[48];			       /* "ssh-ed25519"; every RSA key is "ssh-rsa" */
	char blob[KEY_BLOB_MAX + 1];	       /* base64 */
	char fingerprint[KEY_FINGERPRINT_MAX]; /* "SHA256:..." as ssh-keygen -l prints it */
	char comment[128];
	int64_t added_ms;
};

/* Takes one line of a .pub or authorized_keys file apart, without options. 0 or -EINVAL with a
 * sentence (a private key, a certificate, several lines, a type that is not taken ...). */
int key_parse(const char *line, struct key *key, struct err *err);

/*
 * Adds a key for `user`, creating the user when missing: the first user ever becomes admin,
 * later ones get `right`, or RIGHT_DEPLOY when that is RIGHT_NONE. With `app_id` not 0 the right
 * is on that app only. An existing user keeps what they have unless a right is given.
 * -EEXIST: the key is there already (the sentence names whose). `user_right` may be NULL.
 */
int keys_add(struct store *store, const char *user, const char *line, enum right right,
	     int64_t app_id, struct key *key, struct err *err);
/* Whose key is it? `type` as in the SSH protocol ("rsa-sha2-512" counts as "ssh-rsa"). -ENOENT. */
int keys_find(struct store *store, const char *type, const char *blob, struct key *key,
	      struct err *err);
int keys_list(struct store *store, struct key **keys, size_t *n, struct err *err);
/* By fingerprint: that key, and its user when it was the last one. By user name: the user with
 * all keys. *n_removed keys. -ENOENT. The last global admin's last key stays (-EINVAL) unless
 * `force`. */
int keys_remove(struct store *store, const char *fingerprint_or_user, int force, size_t *n_removed,
		struct err *err);

#endif
