"""Numbers on the pages that no claim is about, and why; whatever matches none of these needs a claim."""

from __future__ import annotations

MARKUP = {
    r"```.*?```": "code, which tests run",
    r"`[^`]*`": "code and names",
    r"<code>.*?</code>|</?[a-z][^>]*>|<!--.*?-->": "tags and names",
    r"\]\([^)]*\)": "addresses",
    r"\b(?:Figures?|Tables?|Sec\.|[Nn]otebooks?|seeds?|scene) \d+(?:(?:,| and| to| or)? ?\d+)*": "names of parts",
    r"\b20\d\d\b|arXiv \d+\.\d+|2F-\d+|ViT-B/16|SO\(3\)|6-DoF": "years and names",
}
MACHINE = {
    r"Python 3\.\d+ to 3\.\d+": "versions; tests/test_environment.py",
    r"\d+ Gi?B of (?:disk|memory)": "the machine",
}
_SHARES = r"[\d%]+ of Base's and [\d%]+ of dGrasp's candidates .*? \([\d%]+ began there\)"
_PATHS = {
    rf"\(number \d+|{_SHARES}": "of all starts, while those drawn alone are on file: `make figures` counts them",
}
_WILSON = {r"95 % Wilson intervals": "a constant of the figure"}
NO_RESULTS = {
    "README.md": MACHINE
    | {
        r"\([\d.]+ min\)": "time",
        r"quaternion or six numbers|from poses \(n, 4, 4\)": "sizes of vectors and matrices",
        r"CC BY 4\.0": "a licence",
        r"questions and answers, 00 to 09": "names of files",
    },
    "docs/index.md": MACHINE | {r"quaternions or as six numbers": "the size of a vector"},
    "REPRODUCING.md": {
        r"the three scales are|on all three\. Profile": "names of profiles and cells",
        r"\d+ seconds for a policy|With `--scenes 100`": "time",
        r"cycle is .*? so \d observations a second": "time",
        r"seeds are 21, 22 and 23 .*? where none|Those of 20 the first run": "seeds",
        r", and 23; `dgrasp beyond summit --keep`": "seeds",
        r"twin's own \(.*?\), but not|test with 10 mm and 2 degrees|with up to 12 mm and 2\.5 degrees": "settings",
        r"takes about three hours|in about 100 minutes of two cores": "time",
        r"have 200 iterations of the simulator's solver a step and not 50": "constants, see the code",
        r"with the nine objects in view|Seed 0's table|the one on all three": "names of parts",
        r" \d\. `dgrasp| 1\. `pip|takes about 12 GiB": "a list; the machine",
        r"permits: three images|predecessor does with three": "of the predecessor",
        r"near ones \(.*?\)|batch \| 4 for all \| 8 Base, 4 dGrasp|400 epochs Base, 40 dGrasp": "of the authors' code",
        r"2 of 5 for Base, any of 5 for dGrasp|four consecutive recorded poses": "of the authors' code",
        r"focal length of 450 px at 640x480": "of the authors' code",
        r"five runs of each simulated|same scenes five times .*? attempts five times|with four policies": "the paper's",
        r"paper's nine objects": "the paper's",
        r"50 random ones, and beside them the five fixed": "of the authors' code",
        r"its nine other YCB": "a list in the code",
        r"four times a second of the cell's|from six postures|60 N, or|80 mm to 140 mm": "constants, see the code",
        r"are 45 to 95 mm high and at most 72 mm|D415 \(617 px\)": "constants, see the code",
        r"out to four GPUs|killed four\)|workers of Ray 2\.49": "of other programs",
        r"to 1e-5 of the weights'|within 1 % \(radiance fields\) and 3 % \(encoder\)": "tolerances of tests",
    },
    "figures/fig04.caption.json": _PATHS,
    "figures/fig05.caption.json": _PATHS,
    "figures/fig06.caption.json": _PATHS,
    "figures/climb.caption.json": {
        r"[\d%]+ of Base's and [\d%]+ of dGrasp's candidates are within|where [\d%]+ began": "of all starts, see above",
    },
    "figures/fig03.caption.json": {r"and \d+ presentations": "a constant of the figure"},
    "figures/fig02.caption.json": {
        r"among \d+ sampled poses|demonstration \(n = 1\)": "constants of the figure",
    },
    "figures/tab02.caption.json": {r"with its 95 % Wilson interval": "a constant of the table"},
    "figures/ablations.caption.json": _WILSON,
    "figures/ablation_differences.caption.json": {
        r"with 95 % intervals \(bootstrap": "a constant of the table",
        r"the whole interval lies below 0\.05 in": "a constant of the rule",
    },
    "figures/calibration.caption.json": _WILSON,
    "figures/ablation_rates.caption.json": _WILSON,
    "figures/closed_loop_rates.caption.json": _WILSON,
    "figures/closed_loop.caption.json": _WILSON,
    "figures/closed_loop_paths.caption.json": {},
    "figures/closed_loop_motion.caption.json": {
        r"pushed by \d+ cm|anew, \d+ times|first \d+ test scenes .*? \(number \d+\)": "one scene, acted out",
    },
    "figures/plane.caption.json": {r"lines are 40 walkers": "a constant of the figure"},
    "figures/learning.caption.json": {r"the first 40 of": "a constant of the figure"},
    "figures/cosines.caption.json": {r"chance passes 0": "a cosine"},
    "figures/peg_in_hole.caption.json": {
        r"twelve demonstrations\. Of 500 pegs|\(2 cm, 15 degrees\)": "constants of the example",
    },
    "figures/rays.caption.json": {
        r"three strongest components": "a constant of the figure",
        r"probability [\d.]+ from activations, and [\d.]+ from the position": "in no file: `make figures` fits probes",
        r"alone \([\d,]+ points of \d+ held-out": "the same",
    },
}
