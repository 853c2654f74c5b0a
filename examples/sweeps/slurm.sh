#!/usr/bin/env bash
# The same grid as an array job: sbatch slurm.sh (CONFIG=... FOLDER=... before it). What is requeued goes on, what is
# done is passed by. Afterwards: nnmnist runs runs/grid
#SBATCH --job-name=nnmnist
#SBATCH --array=0-8
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=00:10:00
#SBATCH --requeue
rates=(0.1 0.2 0.4)
widths=(64 128 256)
rate=${rates[SLURM_ARRAY_TASK_ID / ${#widths[@]}]}
width=${widths[SLURM_ARRAY_TASK_ID % ${#widths[@]}]}

# exec: so that Slurm's SIGTERM reaches the training, which stops at its last complete epoch
exec nnmnist train --config "${CONFIG:-mnist}" --set "training.learning_rate=$rate" --set "model.hidden=[$width]" \
    --output "${FOLDER:-runs/grid}/rate-$rate-width-$width" --resume \
    --threads "${SLURM_CPUS_PER_TASK:-1}" --quiet --json
