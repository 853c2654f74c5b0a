#!/bin/sh
# A grid of learning rates and widths, one training after another. Copy it and change the lists.
#   sh loop.sh [CONFIG [FOLDER]]
# After an interruption, run it again: it skips finished runs and resumes the others.
config=${1:-mnist}
folder=${2:-runs/grid}
failed=0

for rate in 0.1 0.2 0.4; do
    for width in 64 128 256; do
        nnmnist train --config "$config" \
            --set "training.learning_rate=$rate" --set "model.hidden=[$width]" \
            --output "$folder/rate-$rate-width-$width" --resume --quiet --json
        code=$?
        [ $code -gt 128 ] && exit $code # Ctrl-C ends the loop; a failed training does not
        [ $code -ne 0 ] && failed=1
    done
done
nnmnist runs "$folder" >&2
exit $failed
