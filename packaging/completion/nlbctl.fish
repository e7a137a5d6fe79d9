# SPDX-License-Identifier: Apache-2.0
# fish completion for nlbctl and nlbd: what bash would offer.

function __nlbd_offered
    set -l words (commandline -opc) (commandline -ct)
    set -l program (basename $words[1])
    bash --norc -c 'source "$1"; function=_$2; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        $function; printf "%s\n" "${COMPREPLY[@]}"' bash \
        /usr/share/bash-completion/completions/$program $program $words
end

complete -c nlbctl -f -a '(__nlbd_offered)'
complete -c nlbd -f -a '(__nlbd_offered)'
