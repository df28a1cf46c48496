#!/bin/sh
# Everything from films to the shipped networks and their card: make.sh DIR V7 OUT VARIANT STUDIES
set -eu
data=$1 masks=$2 out=$3 variant=$4 studies=$5
cd "$(dirname "$0")/../.."
python training/chest/masks.py --data "$data" --masks "$masks" --out "$out"
python training/chest/lungs.py --data "$data" --masks "$masks" --out "$out"
python training/chest/gate.py --data "$data" --out "$out"
python training/chest/compare.py --data "$data" --out "$out"
python training/chest/evaluate.py --data "$data" --out "$out" --variant "$variant" --studies "$studies"
