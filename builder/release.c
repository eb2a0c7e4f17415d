/*
 * libyaml's documents keep aliases as references, so nothing can be blown up; depth and size are
 * bounded by RELEASE_MAX_BYTES.
 */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/name.h"

#include "builder/release.h"
#include "builder/types.h"

static bool
is_scalar(const yaml_node_t *node, const char *text)
{
	return node && node->type == YAML_SCALAR_NODE && node->data.scalar.length == strlen(text) &&
	       memcmp(node->data.scalar.value, text, node->data.scalar.length) == 0;
}

static yaml_node_t *
find_key(yaml_document_t *doc, yaml_node_t *mapping, const char *key)
{
	yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;

	for (; pair < mapping->data.mapping.pairs.top; pair++) {
		if (is_scalar(yaml_document_get_node(doc, pair->key), key))
			return yaml_document_get_node(doc, pair->value);
	}
	return NULL;
}

static bool
is_null(const yaml_node_t *node)
{
	return is_scalar(node, "") || is_scalar(node, "~") || is_scalar(node, "null");
}

static int
add_type(const yaml_node_t *key, const yaml_node_t *value, struct types *types, struct err *err)
{
	const char *name, *command, *wrong;
	size_t n;
	int ret;

	if (!key || key->type != YAML_SCALAR_NODE || !value || value->type != YAML_SCALAR_NODE)
		return err_say(err, -EINVAL,
			       "default_process_types must be a map of names to "
			       "commands");
	name = (const char *)key->data.scalar.value;
	command = (const char *)value->data.scalar.value;
	n = value->data.scalar.length;
	if (strlen(name) != key->data.scalar.length || strlen(command) != n)
		return err_say(err, -EINVAL, "a process type holds a NUL byte");
	wrong = name_check_type(name);
	if (wrong)
		return err_say(err, -EINVAL, "%s", wrong);
	while (n > 0 && (command[n - 1] == '\n' || command[n - 1] == ' '))
		n--;
	if (n == 0)
		return err_say(err, -EINVAL, "the process type %s has no command", name);
	ret = types_set(types, name, command, n);
	if (ret == -E2BIG)
		return err_say(err, -EINVAL, "there are more than %d process types", TYPES_MAX);
	if (ret == -ENAMETOOLONG)
		return err_say(err, -EINVAL, "the command of %s is longer than %d bytes", name,
			       TYPE_COMMAND_MAX);
	return ret < 0 ? err_set(err, ret, "default_process_types") : 0;
}

static int
read_document(yaml_document_t *doc, struct types *types, struct err *err)
{
	yaml_node_t *root = yaml_document_get_root_node(doc), *map;
	yaml_node_pair_t *pair;

	if (!root || is_null(root))
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return err_say(err, -EINVAL, "it is no YAML map");
	map = find_key(doc, root, "default_process_types");
	if (!map || is_null(map))
		return 0;
	if (map->type != YAML_MAPPING_NODE)
		return err_say(err, -EINVAL,
			       "default_process_types must be a map of names to "
			       "commands");
	for (pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
		int ret = add_type(yaml_document_get_node(doc, pair->key),
				   yaml_document_get_node(doc, pair->value), types, err);

		if (ret < 0)
			return ret;
	}
	return 0;
}

int
release_parse(const char *text, size_t n, struct types *types, struct err *err)
{
	yaml_parser_t parser;
	yaml_document_t doc;
	int ret;

	if (n > RELEASE_MAX_BYTES)
		return err_say(err, -EINVAL, "it is longer than %d bytes", RELEASE_MAX_BYTES);
	if (!yaml_parser_initialize(&parser))
		return err_set(err, -ENOMEM, "YAML");
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	if (!yaml_parser_load(&parser, &doc)) {
		if (parser.error == YAML_MEMORY_ERROR)
			ret = err_set(err, -ENOMEM, "YAML");
		else
			ret = err_say(err, -EINVAL, "line %zu is no YAML: %s",
				      parser.problem_mark.line + 1,
				      parser.problem ? parser.problem : "unreadable");
		yaml_parser_delete(&parser);
		return ret;
	}
	ret = read_document(&doc, types, err);
	yaml_document_delete(&doc);
	yaml_parser_delete(&parser);
	return ret;
}
