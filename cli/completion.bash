# bash completion for paas; the commands come from `paas help`, so it never goes stale.

_paas_commands() {
	paas help 2>/dev/null | sed -n 's/^  \([a-z][a-z ]*[a-z]\)   *.*/\1/p'
}

_paas() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local first=${COMP_WORDS[1]:-}
	COMPREPLY=()
	case $prev in
	-a | --app | --confirm)
		mapfile -t COMPREPLY < <(compgen -W "$(paas apps 2>/dev/null)" -- "$cur")
		return
		;;
	-r | --remote)
		mapfile -t COMPREPLY < <(compgen -W "$(git remote 2>/dev/null)" -- "$cur")
		return
		;;
	--role)
		mapfile -t COMPREPLY < <(compgen -W "admin deploy read" -- "$cur")
		return
		;;
	-s | --source)
		mapfile -t COMPREPLY < <(compgen -W "app heroku" -- "$cur")
		return
		;;
	esac
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "help $(_paas_commands | cut -d' ' -f1 | sort -u)" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--app --remote --json --help --tail --num --source --dyno --confirm --role --detached --no-tty" -- "$cur")
	elif [[ $first == keys || ($first == config && ${COMP_WORDS[2]:-} == import) ]] && ((COMP_CWORD > 2)); then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif ((COMP_CWORD == 2)); then
		local words
		words=$(_paas_commands | sed -n "s/^$first \(.*\)/\1/p")
		case $first in
		scale) words="web= worker=" ;;
		restart | stop) words=$(paas ps 2>/dev/null | sed -n 's/^\([a-z][^:]*\.[0-9]*\): .*/\1/p') ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		[[ $first == scale ]] && compopt -o nospace
	fi
}
complete -F _paas paas
