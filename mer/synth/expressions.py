"""The action units of emotions and of the classes of micro-expressions.

Expressions are written as patterns such as `"6+/12(25)"`; :func:`draw_units` explains the notation.
"""

import numpy as np

# Full expressions, after Ekman & Friesen's EMFACS.
FULL_EXPRESSIONS: dict[str, list[str]] = {
    "neutral": ["", "25", "45"],
    "happy": ["6+12", "6+12+25", "6+12+25+26", "12"],
    "sad": ["1+4+15", "1+15(17)", "4+15+17", "1+4(25)"],
    "surprise": ["1+2+5+26", "1+2+5+27", "1+2(26)", "1+2+5(25)"],
    "fear": ["1+2+4+5+20+25", "1+2+4+5+7+20+26", "1+4+5+25"],
    "disgust": ["9+10(25)", "9+15+16+25", "9+17", "4+9+10"],
    "anger": ["4+5+7+23", "4+5+7+24", "4+7+10+25", "4+7+17+24"],
    "contempt": ["/14", "/12+/14", "/14(17)"],
}
# Micro-expressions, after the coding of CASME II (Yan et al., PLoS ONE 2014) and the objective classes of Davison,
# Merghani & Yap (J. Imaging 2018).
MICRO_EXPRESSIONS: dict[str, list[str]] = {
    "happiness": ["6+12", "12", "/12", "6+/12", "12(25)"],
    "surprise": ["1+2", "1+2+5", "5", "/2", "1+2(25)"],
    "disgust": ["9", "4+9", "10", "/10", "4+7+9", "9+17"],
    "anger": ["4", "4+7", "4+5", "23", "4+24"],
    "sadness": ["1+4", "15", "1+15", "15+17", "1"],
    "fear": ["1+2+4", "20", "1+2+4+5", "4+5(20)"],
    "contempt": ["/14", "/14+/12"],
    "repression": ["14", "15(17)", "17", "24", "14+17"],
}
CLASS_EMOTIONS: dict[
    str, list[str]
] = {  # classes of the composite protocol of MEGC 2019 -> emotions in MICRO_EXPRESSIONS
    "negative": ["disgust", "anger", "sadness", "fear", "contempt", "repression"],
    "positive": ["happiness"],
    "surprise": ["surprise"],
}
# The same classes -> patterns of units and their weights, after the coding of CASME II and SAMM (Davison et al., IEEE
# TAC 2018) as described in their papers, and after the objective classes.
CLASS_PATTERNS: dict[str, dict[str, float]] = {
    "negative": {
        "4": 16, "4+7": 13, "/4": 2, "7": 4, "4+9": 4, "4+7+9": 3, "9": 3, "4+5": 1, "4+7(45)": 3, "10": 3, "/10": 3,
        "4+10": 2, "9+10": 2, "7+10": 1, "14": 6, "/14": 8, "15": 4, "/15": 1, "17": 5, "15+17": 4, "14+17": 2,
        "1+4": 2, "4+15": 1, "4+17": 2, "4+14": 2, "1+4+15": 1, "20": 2, "24": 3, "23": 2, "17+24": 2, "1+2+4": 2,
        "9+17": 1,
    },
    "positive": {
        "12": 30, "/12": 20, "6+12": 22, "6+/12": 5, "/6+/12": 5, "12(25)": 5, "6": 4, "6+7+12": 3, "7+/12": 2,
        "12(17)": 2, "12(24)": 2,
    },
    "surprise": {
        "1+2": 30, "/2": 7, "/1+/2": 8, "1+2+5": 13, "5": 8, "1+2(25)": 8, "2": 6, "1": 4, "1+2(26)": 4, "25(26)": 7,
        "5+25": 2, "1+2+5+25": 3,
    },
}  # fmt: skip
CLASS_COUNTS = {"negative": 250, "positive": 109, "surprise": 83}  # clips of the composite protocol


def draw_units(patterns: list[str], rng: np.random.Generator) -> list[str]:
    """Draw the units of one of the patterns: `"6+/12(25)"` may give `["6", "L12", "25"]`.

    A slash stands for one of the two sides, the same for all units of the pattern; a unit in parentheses is included
    with probability one half.
    """
    pattern = patterns[rng.integers(len(patterns))]
    main, _, optional = pattern.rstrip(")").partition("(")
    units = [unit for unit in main.split("+") if unit]
    if optional and rng.random() < 0.5:
        units.append(optional)
    side = "LR"[rng.integers(2)]
    return [unit.replace("/", side) for unit in units]
