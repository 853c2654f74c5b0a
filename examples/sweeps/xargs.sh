#!/bin/sh
# The same grid, several trainings at a time on this machine:
#   [JOBS=4] sh xargs.sh [CONFIG [FOLDER]]
# Each has one thread, as threads that share a core wait for each other. Run it again to resume.
config=${1:-mnist}
folder=${2:-runs/grid}

for rate in 0.1 0.2 0.4; do
    for width in 64 128 256; do
        printf '%s\0' "$rate" "$width"
    done
done | CONFIG=$config FOLDER=$folder xargs -0 -P "${JOBS:-2}" -n 2 sh -c '
    nnmnist train --config "$CONFIG" \
        --set "training.learning_rate=$0" --set "model.hidden=[$1]" \
        --output "$FOLDER/rate-$0-width-$1" --resume --threads 1 --quiet --json
    code=$?
    [ $code -gt 128 ] && exit 255 # 255 ends xargs; a failed training does not
    exit $code
'
code=$?
nnmnist runs "$folder" >&2
exit $code
