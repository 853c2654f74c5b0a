#!/usr/bin/env bash
# The same grid on several machines, by GNU parallel over ssh. Each needs nnmnist on its PATH; nothing is shared.
#   bash parallel.sh HOSTS [CONFIG [FOLDER]]     HOSTS: 4/anna,2/me@otto,2/: for four trainings at once on anna, two on
#                                                otto as another user, and two on this machine
# CONFIG is a recipe, or a file that all have. A run comes back here as a tar file. Run again after a stop, it goes on.
set -o pipefail
config=${2:-mnist}
folder=${3:-runs/grid}
mkdir -p "$folder"

run="$folder/rate-{1}-width-{2}"
{
    tar -cf - -T /dev/null # for tar wants an archive, even if all is done already
    parallel --sshlogin "$1" --joblog "$folder/jobs.log" --resume-failed "
        nnmnist train --config '$config' --set training.learning_rate={1} --set 'model.hidden=[{2}]' \
            --output '$run' --resume --threads 1 --quiet --json >&2
        code=\$?; tar -cf - '$run'; exit \$code
    " ::: 0.1 0.2 0.4 ::: 64 128 256
} | tar -xif -
code=$?
nnmnist runs "$folder" >&2
exit $code
