#!/bin/sh
# Everything that makes the shipped network: make.sh DATA OUT [STUDIES]
#
# Trains one network for each fold of persons and one on everyone, exports them, judges them and
# writes the card. Two trainings at a time, a core each. Run it again to go on where it stopped.
# PYTHON, DEVICE and JOBS may be set: DEVICE=cuda trains there.
set -eu
data=$1 out=$2 studies=${3:-}
here=$(dirname "$0")
python=${PYTHON:-python}
mkdir -p "$out"

printf "%s\n" 1 2 3 0 4 | xargs -P "${JOBS:-2}" -I FOLD sh -c \
    "'$python' '$here/train.py' --data '$data' --out '$out/foldFOLD' --held-out FOLD \
        --device '${DEVICE:-cpu}' >>'$out/foldFOLD.log' 2>&1"

for fold in 1 2 3 4; do
    "$python" "$here/export.py" --weights "$out/fold$fold/ema.pt" --onnx "$out/fold$fold/network.onnx"
done
"$python" "$here/export.py" --weights "$out/fold0/ema.pt"
"$python" "$here/evaluate.py" --data "$data" --networks "$out" ${studies:+--studies "$studies"}
