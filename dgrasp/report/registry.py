"""The one list of figures and tables: what each is, where the paper has it, which notebook makes it.

Notebook 00, the published folder and the tests derive from it; a test compares notebooks and README with it.
"""

from __future__ import annotations

from typing import Literal

from dgrasp.config import Config


class Output(Config):
    """A figure or table of the paper (or one of ours, where `paper_place` is None).

    behind: what stands behind it, said after the title, with places in braces as captions have. status: "reproduced",
    the same panels from our runs; "direction only", numbers that may be compared with each other but not with the
    paper's; "not attempted", what needs a robot; "ours", not in the paper.
    """

    id: str
    kind: Literal["figure", "table", "animation"]
    paper_place: str | None
    title: str
    notebook: str
    alt_text: str
    status: Literal["reproduced", "direction only", "not attempted", "ours"]
    behind: str = ""
    made_at: tuple[str, ...] = ("smoke", "laptop", "paper")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Files that belong to this output."""
        shown = {"figure": ("png", "pdf"), "table": ("json", "md", "tex"), "animation": ("gif", "png")}
        return (*shown[self.kind], "csv", "caption.json", "meta.json")


OUTPUTS: tuple[Output, ...] = (
    Output(
        id="climb",
        kind="animation",
        paper_place=None,
        title="Base beside dGrasp, climbing from the same poses",
        notebook="04_pose_optimization",
        alt_text="A board with one object, twice. Grippers move step by step, left Base's, right dGrasp's.",
        status="ours",
    ),
    Output(
        id="tab01",
        kind="table",
        paper_place="Table 1",
        title="Grasp success rates in the simulated tasks",
        behind="trained on {training}, {seeds}",
        notebook="05_simulated_grasping",
        alt_text="Success rates of eight policies on simple, clutter and novel objects: ours beside the paper's.",
        status="direction only",
    ),
    Output(
        id="tab02",
        kind="table",
        paper_place="Table 2",
        title="Success rates of the paper's real robot, and of ours in a digital twin",
        notebook="06_real_robot_trials",
        alt_text="The paper's success rates on its real robot; ours in the twin; an empty column for the hardware.",
        status="not attempted",
    ),
    Output(
        id="fig01",
        kind="figure",
        paper_place="Figure 1",
        title="A grasp demonstration, and where the policies' candidates end",
        notebook="04_pose_optimization",
        alt_text="Left, the cell with a demonstration. Right, where candidates of Base (top) and dGrasp end.",
        status="reproduced",
    ),
    Output(
        id="fig02",
        kind="figure",
        paper_place="Figure 2",
        title="What the main loss and the auxiliary loss supervise",
        notebook="03_training",
        alt_text="Left, a demonstrated grasp (blue) among random poses (red). Right, slopes beside displacements.",
        status="reproduced",
    ),
    Output(
        id="fig03",
        kind="figure",
        paper_place="Figure 3",
        title="Observations from the test scenes",
        notebook="01_data_generation",
        alt_text="Example camera images of the tasks simple, clutter and novel objects, and of the digital twin.",
        status="reproduced",
    ),
    Output(
        id="fig04",
        kind="figure",
        paper_place="Figure 4",
        title="Optimization paths on the simple task, and convergence",
        notebook="04_pose_optimization",
        alt_text="Paths of random candidates over a scene of prisms, Base beside dGrasp; right, curves of convergence.",
        status="reproduced",
    ),
    Output(
        id="fig05",
        kind="figure",
        paper_place="Figure 5",
        title="Optimization paths on the clutter task",
        notebook="04_pose_optimization",
        alt_text="Paths of random candidates over a pile of prisms, Base beside dGrasp; the chosen grasps are thick.",
        status="reproduced",
    ),
    Output(
        id="fig06",
        kind="figure",
        paper_place="Figure 6",
        title="Optimization paths on the novel objects task",
        notebook="05_simulated_grasping",
        alt_text="Paths of random candidates round a YCB object, Base beside dGrasp; the chosen grasps are thick.",
        status="reproduced",
    ),
    Output(
        id="fig07",
        kind="figure",
        paper_place="Figure 7",
        title="Outcomes of trials in the twin",
        behind="by example: {outcomes}",
        notebook="06_real_robot_trials",
        alt_text="Rows of pictures of simulated trials: a failure at the side, an object that slips, a success.",
        status="not attempted",
    ),
    Output(
        id="calibration",
        kind="figure",
        paper_place=None,
        title="Success in the twin against calibration error",
        notebook="06_real_robot_trials",
        alt_text="Success of Base and dGrasp against the camera's error: left in millimetres, right in degrees.",
        status="ours",
    ),
    Output(
        id="peg_in_hole",
        kind="figure",
        paper_place=None,
        title="Another problem: pegs that find their hole, with and without slope teaching",
        notebook="00_start_here",
        alt_text="Sixty paths from the side: taught by the main loss alone they end all over; by both, in the hole.",
        status="ours",
    ),
    Output(
        id="plane",
        kind="figure",
        paper_place=None,
        title="The idea in a plane: landscapes with and without taught slopes",
        notebook="00_start_here",
        alt_text="Two landscapes with walkers. Left, bumpy: they end all over. Right, smooth: they end at the star.",
        status="ours",
    ),
    Output(
        id="learning",
        kind="animation",
        paper_place=None,
        title="The landscape while it is learned, with and without taught slopes",
        notebook="00_start_here",
        alt_text="Two landscapes change step by step: left a bumpy plain stays, right it turns to the star.",
        status="ours",
    ),
    Output(
        id="growth",
        kind="figure",
        paper_place=None,
        title="What the chain costs as it grows",
        notebook="00_start_here",
        alt_text="Measured seconds and memory rise with scenes, poses and image width. "
        "Simulated minutes fall with workers, and level off where the shared folder is the limit.",
        status="ours",
    ),
    Output(
        id="growth_costs",
        kind="table",
        paper_place=None,
        title="What the chain costs as it grows, in numbers",
        notebook="00_start_here",
        alt_text="One row for each number of scenes, poses, pixels or workers: minutes, memory, measured or simulated.",
        status="ours",
    ),
    Output(
        id="rays",
        kind="figure",
        paper_place=None,
        title="What scene activations know along a ray",
        notebook="02_nerf_transfer",
        alt_text="Density, activations and a linear probe along two rays, one of which meets an object.",
        status="ours",
    ),
    Output(
        id="cosines",
        kind="figure",
        paper_place=None,
        title="Slopes beside demonstrated displacements, on all held-out poses",
        notebook="03_training",
        alt_text="Cumulative curves of the cosine for translation and rotation, one for each model.",
        status="ours",
    ),
    Output(
        id="convergence",
        kind="figure",
        paper_place=None,
        title="Convergence of candidates over many scenes",
        notebook="04_pose_optimization",
        alt_text="Three plots of shares of candidates against the step: near a grasp, at an object, in a corner.",
        status="ours",
    ),
    Output(
        id="rates",
        kind="figure",
        paper_place=None,
        title="Success rates of all policies beside the paper's",
        notebook="05_simulated_grasping",
        alt_text="Dots with intervals for eight policies, one panel for each task; diamonds are the paper's rates.",
        status="ours",
    ),
    Output(
        id="by_object",
        kind="figure",
        paper_place=None,
        title="Which novel and unseen objects are hard",
        notebook="05_simulated_grasping",
        alt_text="A panel for novel, one for unseen objects: success of Base and dGrasp for each, the hardest on top.",
        status="ours",
    ),
    Output(
        id="ablation_rates",
        kind="figure",
        paper_place=None,
        title="The paper's explanations and choices: success of each arm",
        notebook="07_ablations",
        alt_text="A panel for each question: dots are success rates of its arms with intervals, coloured by task.",
        status="ours",
    ),
    Output(
        id="ablations",
        kind="table",
        paper_place=None,
        title="The paper's explanations and choices: rates, cosines, arrivals, minutes",
        notebook="07_ablations",
        alt_text="One row for each question, arm and task: successes, attempts, rate, interval, training minutes.",
        status="ours",
    ),
    Output(
        id="ablation_differences",
        kind="table",
        paper_place=None,
        title="The paper's explanations and choices: paired differences and verdicts",
        notebook="07_ablations",
        alt_text="One row for each pair of arms and task: difference, interval, p, and what it says to the paper.",
        status="ours",
    ),
    Output(
        id="closed_loop_rates",
        kind="figure",
        paper_place=None,
        title="The ascent as a motion: success while objects move and cameras are off",
        notebook="09_closed_loop",
        alt_text="A panel for each disturbance: success against its size, Base and dGrasp, in open and in closed loop.",
        status="ours",
    ),
    Output(
        id="closed_loop",
        kind="table",
        paper_place=None,
        title="The ascent as a motion: successes and intervals in open and in closed loop",
        notebook="09_closed_loop",
        alt_text="One row for each disturbance, size, loop and policy: successes, attempts, rate, interval.",
        status="ours",
    ),
    Output(
        id="closed_loop_paths",
        kind="table",
        paper_place=None,
        title="The ascent as a motion: ways of the TCP beside constructed ones",
        notebook="09_closed_loop",
        alt_text="One row for each disturbance, size, loop and policy: length, detour, smoothness, cosine of the way.",
        status="ours",
    ),
    Output(
        id="closed_loop_motion",
        kind="animation",
        paper_place=None,
        title="The ascent as a motion: an object is pushed while the arm approaches",
        notebook="09_closed_loop",
        alt_text="An arm over a board, twice, and a pushed object. Left it comes down as planned, right it follows.",
        status="ours",
    ),
)


def output(id: str) -> Output:
    """Look up an output; raises KeyError naming what exists."""
    for candidate in OUTPUTS:
        if candidate.id == id:
            return candidate
    raise KeyError(f"unknown figure or table {id!r}; registered: {', '.join(o.id for o in OUTPUTS)}")


def outputs_of(notebook: str) -> tuple[Output, ...]:
    """The outputs that a notebook (stem) makes."""
    return tuple(o for o in OUTPUTS if o.notebook == notebook)
