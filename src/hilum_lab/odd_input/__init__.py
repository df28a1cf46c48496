"""Odd input: series as hospitals send them, and what a module receives of each.

Every series shows one phantom whose voxel value is a linear function of the position in the
patient, so that values, order and affine prove each other. `hilum odd-input` gives
all of them to `hilum run` and writes down what a module received.
"""
