#compdef paas
# zsh completion for paas; the commands come from `paas help`, so it never goes stale.

_paas_commands() {
	local -a lines
	lines=("${(@f)$(paas help 2>/dev/null | sed -n 's/^  \([a-z][a-z ]*[a-z]\)   *\(.*\)/\1:\2/p')}")
	print -rl -- $lines
}

_paas() {
	local -a found
	local first=${words[2]}
	case ${words[CURRENT - 1]} in
	-a | --app | --confirm)
		found=("${(@f)$(paas apps 2>/dev/null)}")
		compadd -a found
		return
		;;
	-r | --remote)
		found=("${(@f)$(git remote 2>/dev/null)}")
		compadd -a found
		return
		;;
	--role)
		compadd admin deploy read
		return
		;;
	-s | --source)
		compadd app heroku
		return
		;;
	esac
	if ((CURRENT == 2)); then
		found=("${(@f)$(_paas_commands | grep -v '^[a-z]* [a-z]*:')}" 'help:Show help.')
		_describe command found
	elif [[ ${words[CURRENT]} == -* ]]; then
		compadd -- --app --remote --json --help --tail --num --source --dyno --confirm --role --detached --no-tty
	elif [[ $first == keys || $first == config ]] && ((CURRENT > 3)); then
		_files
	elif ((CURRENT == 3)); then
		case $first in
		scale) compadd -S '' web= worker= ;;
		restart | stop)
			found=("${(@f)$(paas ps 2>/dev/null | sed -n 's/^\([a-z][^:]*\.[0-9]*\): .*/\1/p')}")
			compadd -a found
			;;
		*)
			found=("${(@f)$(_paas_commands | sed -n "s/^$first \(.*\)/\1/p")}")
			_describe command found
			;;
		esac
	fi
}

_paas "$@"
