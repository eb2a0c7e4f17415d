/* What may be called what. Each check returns NULL when the name is fine, else a sentence
 * (static storage) that says what is wrong and what is allowed. */
#ifndef LIB_NAME_H
#define LIB_NAME_H

/* ^[a-z][a-z0-9-]{0,28}[a-z0-9]$ (reference: Heroku's app names; one letter is allowed too) */
const char *name_check_app(const char *name);
/* ^[-A-Za-z0-9_]{1,63}$ */
const char *name_check_type(const char *type);
/* ^[A-Za-z_][A-Za-z0-9_]*$, at most 256; PORT, DYNO, HOME and PAAS_* are the platform's */
const char *name_check_config(const char *key);
/* A host name: labels of 1..63 letters, digits, hyphens, at most 253; may begin with "*." */
const char *name_check_host(const char *host);
/* ^[a-z][a-z0-9._-]{0,63}$ : a person or machine with keys */
const char *name_check_user(const char *user);
/* 1..6 of [a-z0-9]: --name */
const char *name_check_platform(const char *name);

#endif
