#!/bin/sh
# The same grid, several trainings at once on this machine; with one thread each, for threads that share a core wait.
#   sh xargs.sh [CONFIG [FOLDER]]        JOBS=4 sh xargs.sh        Run again after a stop, it goes on.
config=${1:-mnist}
folder=${2:-runs/grid}

for rate in 0.1 0.2 0.4; do
    for width in 64 128 256; do
        echo "$rate $width"
    done
done | CONFIG=$config FOLDER=$folder xargs -P "${JOBS:-2}" -n 2 sh -c '
    nnmnist train --config "$CONFIG" --set "training.learning_rate=$0" --set "model.hidden=[$1]" \
        --output "$FOLDER/rate-$0-width-$1" --resume --threads 1 --quiet --json
    code=$?
    [ $code -gt 128 ] && exit 255 # which ends xargs; after a failed training it goes on
    exit $code
'
code=$?
nnmnist runs "$folder" >&2
exit $code
