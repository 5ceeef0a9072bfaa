#!/bin/sh
# A streamed answer and its bill, as they look on the wire.
#
#   ARBSTR_BASE_URL=http://127.0.0.1:8080/v1 ARBSTR_TOKEN=vtk_… sh examples/curl.sh
set -eu
: "${ARBSTR_BASE_URL:?is not set; the demo prints it}" "${ARBSTR_TOKEN:?is not set; the demo prints it}"

curl -sS -N "$ARBSTR_BASE_URL/chat/completions" \
  -H "authorization: Bearer $ARBSTR_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"model": "'"${ARBSTR_MODEL:-gpt-4o-mini}"'", "stream": true,
       "messages": [{"role": "user", "content": "Hello"}]}' |
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line"
    case $line in
      # A comment of the event stream, which every parser skips: what it cost.
      ': arbstr '*)
        cost=${line#*'"cost_msats":'}
        provider=${line#*'"provider":"'}
        printf '\n%s msat to %s\n\n' "${cost%%,*}" "${provider%%'"'*}"
        ;;
    esac
  done

# Not streamed: the same in headers.
curl -sS -o /dev/null -D - "$ARBSTR_BASE_URL/chat/completions" \
  -H "authorization: Bearer $ARBSTR_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"model": "'"${ARBSTR_MODEL:-gpt-4o-mini}"'", "messages": [{"role": "user", "content": "Hello"}]}' |
  grep -i '^x-arbstr-'
