#!/usr/bin/env bash
# The same grid as a Slurm array job. See its results with: nnmnist runs runs/grid
#   [CONFIG=... FOLDER=...] sbatch slurm.sh
# A job that is requeued resumes its run; a job whose run is finished ends at once.
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

# With exec, Slurm's SIGTERM reaches the training, which keeps its last complete epoch.
exec nnmnist train --config "${CONFIG:-mnist}" \
    --set "training.learning_rate=$rate" --set "model.hidden=[$width]" \
    --output "${FOLDER:-runs/grid}/rate-$rate-width-$width" --resume \
    --threads "${SLURM_CPUS_PER_TASK:-1}" --quiet --json
