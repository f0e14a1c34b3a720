"""Who is compared with whom, on what: our approaches of one family, and the tools that are dedicated to it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.studies.speed.environments import TRL, Peer
from strategies.contract import Family

EXAMPLES, HELDOUT = 600, 300
SEEDS = {"banking77": (0, 1, 2)}
"""Samples of the examples and cases; one of every other task."""
LABELLED, LOOKED_UP = ("banking77",), ("nq_open_oracle",)
SHOWN = ("banking77", "snips_slots", "order-extract")
"""Tasks without documents, where the nearest examples are what is looked up."""
OURS = "ours"
CONTAINED = "answer_contained"
"""Told beside the metric of questions: a peer's own answers may be whole sentences."""

SCIKIT = Peer(name="scikit-learn", requirements=("scikit-learn==1.9.1",))
SETFIT = Peer(
    name="setfit",
    requirements=(
        "setfit==1.2.0",
        "sentence-transformers==6.2.0",
        "transformers==5.24.0",
        "torch==2.13.0",
        "scikit-learn==1.9.1",
        "datasets==5.2.0",
        "accelerate==1.15.0",
    ),
)
LLAMA_INDEX = Peer(
    name="llama-index",
    requirements=(
        "llama-index-core==0.14.25",
        "llama-index-embeddings-huggingface==0.8.0",
        "llama-index-retrievers-bm25==0.8.0",
        "llama-index-llms-openai-like==0.8.1",
        "torch==2.13.0",
    ),
)
DSPY = Peer(
    name="dspy",
    requirements=("dspy[optuna]==3.4.1", "sentence-transformers==6.2.0", "transformers==5.24.0", "torch==2.13.0"),
)
TRL_SEARCH = Peer(name="trl-search", requirements=(*TRL.requirements, "sentence-transformers==6.2.0"))


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One contender of a comparison. Without a peer it is ours."""

    name: str
    comparison: str
    tasks: tuple[str, ...]
    peer: Peer | None = None
    script: str = ""
    families: tuple[Family, ...] = ()
    """Of ours: the approaches that are fitted, of which the best on the selection cases answers; none: the search alone."""
    only: str = ""
    """Of these families the approach of this name alone."""
    served: bool = False
    """It asks a server of the model."""
    tuned: bool = False
    """It is given our prompts to train on, and what it trained is decoded as ours is, too."""
    metric: str = ""
    """What both choose by and what counts; none: the metric of the task."""


ARMS = (
    Arm(name=OURS, comparison="prompting", tasks=SHOWN, families=("prompting", "retrieval")),
    Arm(name=OURS, comparison="prompting", tasks=LOOKED_UP, families=("prompting",)),
    Arm(
        name="dspy",
        comparison="prompting",
        tasks=(*SHOWN, *LOOKED_UP),
        peer=DSPY,
        script="dspy_prompts.py",
        served=True,
    ),
    Arm(name=OURS, comparison="fine-tuning", tasks=(*SHOWN, *LOOKED_UP), families=("finetuning",)),
    Arm(
        name="trl",
        comparison="fine-tuning",
        tasks=(*SHOWN, *LOOKED_UP),
        peer=TRL,
        script="trl_lora.py",
        tuned=True,
    ),
    Arm(name=OURS, comparison="combined", tasks=LOOKED_UP, families=("combined",)),
    Arm(name="trl raft", comparison="combined", tasks=LOOKED_UP, peer=TRL_SEARCH, script="trl_raft.py"),
    Arm(name=OURS, comparison="rungs", tasks=LABELLED, families=("reference",)),
    Arm(name="setfit", comparison="rungs", tasks=LABELLED, peer=SETFIT, script="setfit_head.py"),
    Arm(name=OURS, comparison="words", tasks=LABELLED, families=("reference",), only="tf-idf"),
    Arm(name="tf-idf grid", comparison="words", tasks=LABELLED, peer=SCIKIT, script="tfidf_grid.py"),
    Arm(name=OURS, comparison="search", tasks=LOOKED_UP),
    Arm(name="llama-index", comparison="search", tasks=LOOKED_UP, peer=LLAMA_INDEX, script="llama_index_search.py"),
    *(
        arm
        for comparison, metric in (("answers", ""), ("contained", CONTAINED))
        for arm in (
            Arm(name=OURS, comparison=comparison, tasks=LOOKED_UP, families=("retrieval",), metric=metric),
            Arm(
                name="llama-index",
                comparison=comparison,
                tasks=LOOKED_UP,
                peer=LLAMA_INDEX,
                script="llama_index_answers.py",
                served=True,
                metric=metric,
            ),
        )
    ),
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """What is run at one go and kept in a file of its own: one arm on one sample of one task."""

    arm: Arm
    task: str
    seed: int

    @property
    def name(self) -> str:
        words = (self.arm.comparison, self.task, str(self.seed), self.arm.name.replace(" ", "-"))
        return "_".join(words)


def parts() -> tuple[Part, ...]:
    """All parts of the study, those of one sample together."""
    return tuple(
        Part(arm=arm, task=task, seed=seed)
        for comparison in dict.fromkeys(arm.comparison for arm in ARMS)
        for task in dict.fromkeys(task for arm in ARMS if arm.comparison == comparison for task in arm.tasks)
        for seed in SEEDS.get(task, (0,))
        for arm in ARMS
        if arm.comparison == comparison and task in arm.tasks
    )
