/*
 * paas-remote NAME: prints the push URL of a git remote of the repository around the current
 * directory, and on a second line core.sshCommand if it is set. Exit 0 found, 1 not found,
 * 2 failed. A program of its own so that paas loads libgit2 only when it must look.
 */
#include <git2.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	git_repository *repository = NULL;
	git_remote *remote = NULL;
	git_config *config = NULL;
	if (argc != 2)
		return 2;
	if (git_libgit2_init() < 0)
		return 2;
	int status = 1;
	if (git_repository_open_ext(&repository, ".", 0, NULL) == 0 &&
	    git_remote_lookup(&remote, repository, argv[1]) == 0) {
		const char *url = git_remote_pushurl(remote);
		const char *command = NULL;
		if (!url)
			url = git_remote_url(remote);
		if (git_repository_config_snapshot(&config, repository) < 0 ||
		    git_config_get_string(&command, config, "core.sshcommand") < 0)
			command = "";
		if (url) {
			printf("%s\n%s\n", url, command);
			status = 0;
		}
	}
	git_config_free(config);
	git_remote_free(remote);
	git_repository_free(repository);
	(void)git_libgit2_shutdown();
	return status;
}
