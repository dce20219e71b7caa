"""Kinds of creature: how often each is drawn, how many legs it walks on, and between which limits its values lie.

Values and units are those of `creature.Creature`; lengths count only relative to one another, as every design is
scaled. What a kind does not name, it takes from `COMMON`, which describes a middling dog.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class Kind:
    """weight: how often it is drawn, in percent; legs: 2 or 4; often: chances of limbs that not all of them have."""

    weight: float
    legs: int
    ranges: dict[str, Range]
    often: dict[str, float] = field(default_factory=dict)


def ranges(text: str) -> dict[str, Range]:
    """Limits of values, written as names with two numbers, separated by commas."""
    words = [item.split() for item in text.replace("\n", " ").split(",")]
    return {name: (float(low), float(high)) for name, low, high in words}


COMMON: dict[str, Range] = ranges(
    """
    trunk 0.32 0.4, rump 0.08 0.095, belly 0.078 0.092, chest 0.095 0.11, pitch -2 6, sag -0.015 0.005,
    neck 0.15 0.21, neck_radius 0.052 0.062, neck_angle 38 60, neck_bend -5 10, head 0.066 0.078,
    head_length 0.05 0.08, head_angle -12 4, snout 0.06 0.11, snout_radius 0.04 0.048,
    snout_tip 0.028 0.036, snout_angle -10 0, snout_curl 0 0, ear 0.03 0.06, ear_radius 0.023 0.028,
    ear_angle 22 48, horn 0 0, horn_radius 0.024 0.028, horn_angle 20 40, tail 0.14 0.26,
    tail_radius 0.028 0.034, tail_angle 15 65, tail_curl 0 20, height 0.27 0.34, thigh 0.052 0.064,
    ankle 0.026 0.032, stance 0.058 0.068, splay 0 0.012, bend 0.01 0.035, foot 0.025 0.045,
    stride -15 15, arm 0 0, arm_angle -40 -10, wing 0 0, wing_radius 0.038 0.052, wing_angle 0 30,
    wing_sweep 0 25
    """
)

KINDS: dict[str, Kind] = {
    "dog": Kind(9, 4, {}),
    "dachshund": Kind(
        3,
        4,
        ranges(
            """
            trunk 0.46 0.54, height 0.15 0.18, snout 0.1 0.13, ear_angle 60 80, foot 0.02 0.03
            """
        ),
    ),
    "cat": Kind(
        8,
        4,
        ranges(
            """
            rump 0.075 0.085, belly 0.07 0.08, chest 0.078 0.088, neck 0.12 0.16, head 0.074 0.084,
            head_length 0.02 0.03, snout 0.015 0.03, snout_tip 0.03 0.034, ear 0.03 0.045, ear_angle 28 40,
            tail 0.3 0.44, tail_angle 20 50, tail_curl 8 24, height 0.22 0.28
            """
        ),
    ),
    "bear": Kind(
        6,
        4,
        ranges(
            """
            rump 0.135 0.155, belly 0.14 0.16, chest 0.13 0.15, sag 0 0.02, neck 0.16 0.2, neck_radius 0.085 0.1,
            neck_angle 10 30, head 0.085 0.095, snout 0.05 0.07, snout_radius 0.05 0.058, snout_tip 0.036 0.042,
            ear 0.008 0.018, ear_radius 0.026 0.032, ear_angle 38 50, tail 0.015 0.03, tail_radius 0.03 0.034,
            tail_angle 0 20, height 0.27 0.32, thigh 0.08 0.095, ankle 0.05 0.06, stance 0.088 0.1
            """
        ),
        {"tail": 0.6},
    ),
    "giraffe": Kind(
        6,
        4,
        ranges(
            """
            trunk 0.24 0.29, pitch 12 22, neck 0.46 0.6, neck_radius 0.036 0.044, neck_angle 58 72,
            neck_bend -4 8, head 0.046 0.052, head_length 0.05 0.07, head_angle -32 -16, snout 0.05 0.07,
            snout_radius 0.034 0.038, ear 0.03 0.045, ear_angle 66 80, horn 0.03 0.05, horn_angle 30 40,
            tail 0.12 0.2, tail_angle -52 -30, tail_curl -8 0, height 0.38 0.46, thigh 0.05 0.058, foot 0 0
            """
        ),
        {"horn": 0.9},
    ),
    "horse": Kind(
        7,
        4,
        ranges(
            """
            trunk 0.34 0.4, rump 0.1 0.112, chest 0.1 0.115, neck 0.26 0.33, neck_radius 0.048 0.056,
            neck_angle 42 58, neck_bend 0 14, head 0.056 0.064, head_length 0.08 0.1, head_angle -46 -28,
            snout 0.07 0.09, snout_radius 0.04 0.046, snout_tip 0.034 0.04, ear 0.025 0.04, ear_angle 26 36,
            tail 0.2 0.28, tail_angle -30 -5, tail_curl -22 -12, height 0.36 0.43, foot 0 0.02
            """
        ),
        {"foot": 0.5},
    ),
    "deer": Kind(
        6,
        4,
        ranges(
            """
            rump 0.08 0.09, neck 0.22 0.28, neck_radius 0.042 0.048, neck_angle 50 66, head 0.054 0.06,
            head_angle -24 -10, snout_tip 0.026 0.03, ear 0.04 0.06, ear_angle 60 76, horn 0.14 0.24,
            horn_angle 20 38, tail 0.02 0.05, tail_angle 20 50, height 0.36 0.43, ankle 0.023 0.026, foot 0 0
            """
        ),
        {"horn": 0.7},
    ),
    "cow": Kind(
        6,
        4,
        ranges(
            """
            trunk 0.42 0.48, rump 0.125 0.14, belly 0.135 0.15, chest 0.125 0.14, sag 0 0.02, neck 0.19 0.23,
            neck_radius 0.075 0.085, neck_angle 8 30, head 0.07 0.08, head_length 0.07 0.09, head_angle -40 -20,
            snout 0.05 0.08, snout_radius 0.052 0.06, snout_tip 0.044 0.052, ear 0.04 0.055, ear_angle 82 88,
            horn 0.06 0.13, horn_angle 42 60, tail 0.22 0.3, tail_angle -30 -5, tail_curl -22 -14,
            height 0.3 0.35, thigh 0.06 0.07, stance 0.085 0.095, foot 0 0
            """
        ),
        {"horn": 0.8},
    ),
    "pig": Kind(
        5,
        4,
        ranges(
            """
            rump 0.12 0.135, belly 0.13 0.145, chest 0.12 0.135, neck 0.14 0.17, neck_radius 0.09 0.1,
            neck_angle 0 15, neck_bend -5 5, head 0.088 0.098, snout 0.05 0.075, snout_radius 0.052 0.06,
            snout_tip 0.044 0.05, ear 0.025 0.045, tail 0.05 0.08, tail_radius 0.025 0.028, tail_curl 26 38,
            height 0.19 0.24, stance 0.078 0.088, foot 0 0
            """
        ),
    ),
    "rabbit": Kind(
        7,
        4,
        ranges(
            """
            trunk 0.19 0.24, rump 0.115 0.13, belly 0.1 0.115, chest 0.08 0.09, pitch 4 18, neck 0.12 0.15,
            head 0.072 0.082, head_length 0.035 0.05, snout 0.015 0.03, snout_tip 0.032 0.036, ear 0.17 0.27,
            ear_radius 0.025 0.032, ear_angle 12 26, tail 0.02 0.03, tail_radius 0.036 0.044, tail_angle 10 30,
            tail_curl 0 0, height 0.15 0.18, thigh 0.06 0.07, stance 0.075 0.085, foot 0.07 0.09, stride 0 0
            """
        ),
    ),
    "mouse": Kind(
        5,
        4,
        ranges(
            """
            trunk 0.2 0.25, rump 0.11 0.125, belly 0.1 0.11, chest 0.08 0.09, neck 0.1 0.12, neck_angle 10 30,
            head 0.066 0.074, snout 0.06 0.09, snout_radius 0.044 0.05, snout_tip 0.024 0.028, ear 0.05 0.07,
            ear_radius 0.05 0.065, ear_angle 40 50, tail 0.34 0.46, tail_radius 0.026 0.03, tail_angle 0 20,
            tail_curl 2 14, height 0.13 0.15, thigh 0.046 0.054, stance 0.07 0.08
            """
        ),
    ),
    "elephant": Kind(
        6,
        4,
        ranges(
            """
            rump 0.15 0.165, belly 0.16 0.18, chest 0.135 0.15, pitch 2 10, neck 0.25 0.28, neck_radius 0.09 0.1,
            neck_angle 24 40, head 0.105 0.118, head_length 0.04 0.05, snout 0.3 0.38, snout_radius 0.052 0.06,
            snout_tip 0.026 0.03, snout_angle -58 -44, snout_curl -2 30, ear 0.05 0.07, ear_radius 0.085 0.1,
            ear_angle 80 88, horn 0 0, tail 0.16 0.2, tail_angle -34 -20, tail_curl -14 -8, height 0.34 0.4,
            thigh 0.08 0.09, ankle 0.058 0.066, stance 0.1 0.11, foot 0 0, bend 0 0.01
            """
        ),
    ),
    "crocodile": Kind(
        5,
        4,
        ranges(
            """
            trunk 0.3 0.38, rump 0.062 0.072, belly 0.075 0.085, chest 0.062 0.072, neck 0.11 0.14,
            neck_radius 0.05 0.056, neck_angle 0 16, head 0.05 0.058, snout 0.12 0.22, snout_radius 0.038 0.042,
            snout_angle -4 6, ear 0 0, tail 0.36 0.5, tail_radius 0.05 0.056, tail_angle -8 0, tail_curl 2 10,
            height 0.085 0.1, thigh 0.034 0.04, stance 0.06 0.07, splay 0.11 0.15, bend 0 0.03
            """
        ),
    ),
    "frog": Kind(
        3,
        4,
        ranges(
            """
            trunk 0.23 0.27, rump 0.1 0.115, belly 0.115 0.13, chest 0.1 0.115, pitch 14 30, neck 0.1 0.12,
            neck_radius 0.09 0.1, neck_angle 0 20, head 0.092 0.1, head_length 0.03 0.04, snout 0 0,
            ear 0.012 0.02, ear_radius 0.034 0.04, ear_angle 42 50, tail 0 0, height 0.115 0.13,
            stance 0.08 0.09, splay 0.13 0.17, thigh 0.05 0.06, foot 0.045 0.06, bend 0 0.02, stride 0 0
            """
        ),
    ),
    "turtle": Kind(
        4,
        4,
        ranges(
            """
            trunk 0.22 0.27, rump 0.14 0.16, belly 0.17 0.19, chest 0.14 0.16, sag -0.03 -0.02, neck 0.25 0.32,
            neck_radius 0.038 0.044, neck_angle 8 40, head 0.05 0.058, head_length 0.04 0.05, snout 0.01 0.025,
            snout_tip 0.03 0.034, ear 0 0, tail 0.05 0.09, tail_angle -10 5, tail_curl 0 0, height 0.16 0.18,
            thigh 0.045 0.05, ankle 0.036 0.042, stance 0.1 0.11, splay 0.06 0.09
            """
        ),
    ),
    "sauropod": Kind(
        6,
        4,
        ranges(
            """
            trunk 0.22 0.28, rump 0.105 0.12, belly 0.115 0.13, chest 0.1 0.115, pitch 2 14, neck 0.38 0.52,
            neck_radius 0.034 0.04, neck_angle 28 58, neck_bend -15 25, head 0.042 0.048,
            head_length 0.035 0.045, snout 0.02 0.035, snout_radius 0.034 0.038, ear 0 0, tail 0.4 0.58,
            tail_radius 0.055 0.065, tail_angle -18 0, tail_curl 0 12, height 0.2 0.26, stance 0.072 0.082,
            foot 0 0
            """
        ),
    ),
    "theropod": Kind(
        7,
        2,
        ranges(
            """
            trunk 0.22 0.28, rump 0.1 0.112, belly 0.1 0.112, chest 0.085 0.095, pitch 8 34, neck 0.17 0.22,
            neck_radius 0.058 0.066, neck_angle 48 66, neck_bend -14 0, head 0.074 0.084, head_length 0.06 0.08,
            snout 0.08 0.12, snout_radius 0.056 0.062, snout_tip 0.04 0.046, ear 0 0, tail 0.38 0.5,
            tail_radius 0.064 0.074, tail_angle -14 8, tail_curl 0 10, height 0.32 0.38, thigh 0.076 0.086,
            ankle 0.034 0.04, stance 0.075 0.085, splay 0.01 0.025, bend 0.05 0.08, foot 0.07 0.1, arm 0.08 0.12,
            arm_angle -50 -20
            """
        ),
    ),
    "kangaroo": Kind(
        4,
        2,
        ranges(
            """
            trunk 0.26 0.31, rump 0.12 0.132, belly 0.1 0.115, chest 0.075 0.085, pitch 48 64, neck 0.13 0.16,
            neck_angle 56 70, head 0.056 0.064, snout 0.05 0.07, ear 0.08 0.12, ear_angle 16 28, tail 0.36 0.44,
            tail_radius 0.055 0.062, tail_angle -24 -14, tail_curl 6 10, height 0.22 0.27, thigh 0.07 0.08,
            stance 0.085 0.095, bend 0.04 0.06, foot 0.11 0.14, arm 0.1 0.14, stride 0 0
            """
        ),
    ),
    "songbird": Kind(
        7,
        2,
        ranges(
            """
            trunk 0.18 0.22, rump 0.085 0.1, belly 0.115 0.13, chest 0.1 0.115, pitch 14 40, neck 0.13 0.16,
            neck_radius 0.066 0.074, neck_angle 52 70, head 0.078 0.088, head_length 0.025 0.035,
            snout 0.05 0.08, snout_radius 0.03 0.034, snout_tip 0.022 0.024, ear 0 0, tail 0.14 0.22,
            tail_radius 0.04 0.046, tail_angle -10 30, tail_curl 0 0, height 0.2 0.24, thigh 0.036 0.042,
            ankle 0.024 0.026, stance 0.055 0.062, bend -0.03 -0.01, foot 0.07 0.09, stride 0 0, wing 0.26 0.4
            """
        ),
        {"wing": 0.75},
    ),
    "stork": Kind(
        5,
        2,
        ranges(
            """
            trunk 0.17 0.21, rump 0.075 0.085, belly 0.095 0.11, chest 0.085 0.095, pitch 12 26, neck 0.3 0.42,
            neck_radius 0.03 0.034, neck_angle 56 72, neck_bend 0 18, head 0.042 0.05, head_length 0.03 0.04,
            snout 0.07 0.16, snout_radius 0.028 0.032, snout_tip 0.022 0.024, ear 0 0, tail 0.05 0.1,
            tail_radius 0.04 0.046, tail_angle -14 6, tail_curl 0 0, height 0.4 0.5, thigh 0.034 0.04,
            ankle 0.023 0.025, stance 0.05 0.056, bend -0.04 -0.01, foot 0.06 0.08, wing 0.3 0.4
            """
        ),
        {"wing": 0.4},
    ),
    "penguin": Kind(
        5,
        2,
        ranges(
            """
            trunk 0.26 0.31, rump 0.11 0.12, belly 0.13 0.145, chest 0.1 0.112, pitch 70 80, sag 0 0,
            neck 0.11 0.13, neck_radius 0.066 0.074, neck_angle 76 88, neck_bend -6 0, head 0.075 0.085,
            head_length 0.025 0.035, snout 0.045 0.07, snout_radius 0.03 0.034, snout_tip 0.022 0.024, ear 0 0,
            tail 0.04 0.06, tail_angle -34 -22, tail_curl 0 0, height 0.15 0.165, thigh 0.045 0.05,
            ankle 0.034 0.038, stance 0.065 0.072, foot 0.07 0.09, bend 0 0.01, stride 0 0, wing 0.2 0.26,
            wing_radius 0.03 0.036, wing_angle -52 -30, wing_sweep -5 10
            """
        ),
    ),
    "dragon": Kind(
        6,
        4,
        ranges(
            """
            trunk 0.26 0.32, neck 0.24 0.32, neck_radius 0.044 0.05, neck_angle 52 70, neck_bend -20 0,
            head 0.056 0.064, snout 0.07 0.1, ear 0 0, horn 0.06 0.1, horn_angle 22 40, tail 0.36 0.5,
            tail_radius 0.05 0.058, tail_angle -14 8, tail_curl 4 16, height 0.2 0.25, wing 0.32 0.44,
            wing_angle 18 44, wing_sweep 0 30
            """
        ),
        {"horn": 0.85},
    ),
}
