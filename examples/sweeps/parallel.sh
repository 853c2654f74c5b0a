#!/usr/bin/env bash
# The same grid on several machines, with GNU parallel over ssh.
#   bash parallel.sh HOSTS [CONFIG [FOLDER]]
# HOSTS such as 4/anna,2/me@otto,2/: means four trainings at a time on anna, two on otto as the user
# me, and two on this machine. Each machine needs nnmnist on its PATH; they share nothing else.
# CONFIG is a recipe, or a file on all of them; FOLDER is a relative path. Run again to resume.
set -o pipefail
config=$(printf %q "${2:-mnist}") # quoted for the shell on the other machine, as parallel quotes {1}
folder=${3:-runs/grid}
mkdir -p "$folder"

run=$(printf %q "$folder")/rate-{1}-width-{2}
{
    tar -cf - -T /dev/null # tar needs an archive, even if all runs are finished
    parallel --sshlogin "$1" --joblog "$folder/jobs.log" --resume-failed "
        nnmnist train --config $config \
            --set training.learning_rate={1} --set model.hidden=\\[{2}\\] \
            --output $run --resume --threads 1 --quiet --json >&2
        code=\$?; tar -cf - $run; exit \$code
    " ::: 0.1 0.2 0.4 ::: 64 128 256
} | tar -xif -
code=$?
nnmnist runs "$folder" >&2
exit $code
