#!/bin/sh
# A sweep over learning rates and widths, several trainings at once; the table at the end puts the best first.
# Copy it and change the loops:   sh examples/sweep.sh [CONFIG [FOLDER]]        JOBS=4 sh examples/sweep.sh
set -eu
config=${1:-mnist}
folder=${2:-runs/sweep-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$folder"

# One thread each: many small trainings side by side are faster than one after another on all cores.
for rate in ${RATES:-0.05 0.1 0.2}; do
    for width in ${WIDTHS:-64 128 256}; do
        echo "$rate $width"
    done
done | CONFIG=$config FOLDER=$folder xargs -P "${JOBS:-2}" -n 2 sh -c '
    run=$FOLDER/rate-$0-width-$1
    nnmnist train --config "$CONFIG" --set "training.learning_rate=$0" --set "model.hidden=[$1]" \
        --threads 1 --quiet --output "$run" --json > "$run.json" || { echo "failed: $run" >&2; rm -f "$run.json"; }
'

echo "validation  test      seconds  run"
for result in "$folder"/*.json; do
    sed 's/.*"run": "\([^"]*\)".*"seconds": \([^,]*\),.*"validation": {[^}]*"accuracy": \([^}]*\)}.*"test": {[^}]*"accuracy": \([^}]*\)}.*/\3 \4 \2 \1/' "$result"
done | sort -rn | while read -r validation test seconds run; do
    printf '%-10.4f  %-8.4f  %7.2f  %s\n' "$validation" "$test" "$seconds" "$run"
done
