# bash completion for tcp-multiplexer, written by 'tcp-multiplexer completion bash'

_tcp_multiplexer()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $previous in
    -p|--applicationProtocol|--protocol)
        COMPREPLY=($(compgen -W 'echo http iso8583 modbus mpu' -- "$current"))
        return ;;
    --http-body-guard)
        COMPREPLY=($(compgen -W 'get all refuse off' -- "$current"))
        return ;;
    --link-close)
        COMPREPLY=($(compgen -W 'auto fin rst' -- "$current"))
        return ;;
    --spin)
        COMPREPLY=($(compgen -W 'off auto' -- "$current"))
        return ;;
    --log-format)
        COMPREPLY=($(compgen -W 'text json' -- "$current"))
        return ;;
    -t|--targetServer|--target|-l|--listen|--source|--ignore-line|--client-timeout|--idle-timeout|--connect-timeout|--queue-timeout|--wait-timeout|--timeout|--write-timeout|--max-hold|--delay|--gap|--check-gap|--retry-delay|--retryDelay|--retry-delay-max|--link-idle|--link-lifetime|--grace|--keepalive|--in-flight|--connections|--max-clients|--max-message|--max-body|--buffer-requests|--buffer-memory|--client-backlog|--log-file)
        return ;;
    esac
    local command= index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
        -p|--applicationProtocol|--protocol|-t|--targetServer|--target|-l|--listen|--source|--http-body-guard|--ignore-line|--link-close|--client-timeout|--idle-timeout|--connect-timeout|--queue-timeout|--wait-timeout|--timeout|--write-timeout|--max-hold|--delay|--gap|--check-gap|--retry-delay|--retryDelay|--retry-delay-max|--link-idle|--link-lifetime|--grace|--keepalive|--in-flight|--connections|--max-clients|--max-message|--max-body|--buffer-requests|--buffer-memory|--client-backlog|--spin|--log-format|--log-file)
            [[ ${COMP_WORDS[index + 1]} == = ]] && ((index++))
            ((index++)) ;;
        =) ((index++)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[index]}
            break ;;
        esac
    done
    local flags words=
    case $command in
    completion)
        flags='--help --verbose --debug --log-format --dont-log-null --log-file'
        words='bash zsh fish'
        ;;
    help)
        flags='--help --verbose --debug --log-format --dont-log-null --log-file'
        words='completion help list server version'
        ;;
    list)
        flags='--help --verbose --debug --log-format --dont-log-null --log-file'
        ;;
    server)
        flags='--help --applicationProtocol --protocol --targetServer --target --listen --source --on-demand --via --forwarded --http-strict --http-body-guard --modbus-ignore-id --modbus-ignore-unit --ignore-line --iso-ignore-mti --coalesce --link-close --hold --client-timeout --idle-timeout --connect-timeout --queue-timeout --wait-timeout --timeout --write-timeout --max-hold --delay --gap --check-gap --retry-delay --retryDelay --retry-delay-max --link-idle --link-lifetime --grace --keepalive --in-flight --connections --max-clients --max-message --max-body --buffer-requests --buffer-memory --client-backlog --spin --verbose --debug --log-format --dont-log-null --log-file'
        ;;
    version)
        flags='--help --verbose --debug --log-format --dont-log-null --log-file'
        ;;
    '')
        flags='--help --version --verbose --debug --log-format --dont-log-null --log-file'
        words='completion help list server version'
        ;;
    esac
    if [[ $current == -* ]]; then
        words=$flags
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _tcp_multiplexer tcp-multiplexer
