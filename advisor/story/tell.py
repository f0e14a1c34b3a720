"""Recommendation, evaluations and costs become one story: every sentence, table and figure once, for all formats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from advisor.contract import Amount, Costs, Recommendation, Status, Story
from advisor.costs.economics import rank
from advisor.decision.share_limits import measured
from advisor.figures.consistency import consistency
from advisor.figures.costs_by_volume import costs_by_volume
from advisor.figures.differences import differences
from advisor.figures.learning import curve_table, expected, learning_curves
from advisor.figures.searching import searching
from advisor.figures.winners import winner_map
from advisor.material import Extras, Material
from advisor.probes import guarded
from advisor.probes.added_labels import the_day_labels_are_added
from advisor.probes.altered_format import altered_table, the_day_the_format_is_altered
from advisor.probes.asked_again import consistency_table
from advisor.probes.by_heart import by_heart_table
from advisor.probes.changed_facts import changed_table, examples_telling, the_day_it_changes
from advisor.probes.following import facts_of
from advisor.probes.forgotten import forgetting_table
from advisor.probes.grounded import grounding_table, planted_table
from advisor.probes.handed_over import coverage_table, handover_table, let_a_person_help
from advisor.probes.judged import judge_facts, judge_table
from advisor.probes.leaked import leaks_table
from advisor.probes.mistakes_table import all_mistakes_table, as_fact, mistakes_table
from advisor.probes.probed import probed_table
from advisor.probes.probed_further import further_table
from advisor.probes.slices_table import slices_table
from advisor.probes.steadiness import rebuilds_table, tuned_or_prompted
from advisor.probes.time_taken import as_fact as time_fact
from advisor.probes.time_taken import checks_took_too_long
from advisor.story import derived
from advisor.story.a_month import a_month
from advisor.story.cheapest_where import bands_table, by_volume, pairs_table
from advisor.story.foretold import foretold, predicted
from advisor.story.gap import key_noise, what_closes_the_gap
from advisor.story.more_data import towards_the_target, worth_of_the_prompt
from advisor.story.no_answers import no_answers
from advisor.story.payback import paid_back
from advisor.story.risks import risks, worth_knowing
from advisor.story.setups import shared
from advisor.story.story_tables import (
    costs_table,
    differences_table,
    main_table,
    picture,
    targets_table,
)
from advisor.story.story_text import confidence, data, headline, method
from advisor.story.titles import title
from advisor.story.tries import as_facts, tries_table, tuning_table
from advisor.story.value import worth_deciding
from advisor.story.what_they_do import about, approaches_table
from benchmarks.checked import Agreement, Latency, Rebuilds
from benchmarks.contract import Benchmark, Evaluation
from benchmarks.probes.rebuilds import kept, spread, turns
from strategies.contract import Usage

__all__ = ["Extras", "tell"]


def tell(
    recommendation: Recommendation,
    evaluations: Sequence[Evaluation],
    costs: Sequence[Costs],
    benchmark: Benchmark,
    extras: Extras,
) -> Story:
    """The whole story, in plain text without the markup of any format."""
    material = Material(
        recommendation=recommendation,
        evaluations={evaluation.candidate: evaluation for evaluation in evaluations},
        costs={cost.candidate: cost for cost in costs},
        benchmark=benchmark,
        extras=extras,
        ranking=rank(costs, evaluations),
    )
    winners, found = winner_map(material), foretold(material)
    return Story(
        task=benchmark.task.name,
        title=title(material),
        headline=headline(material),
        about=about(material),
        confidence=confidence(material),
        verdict=recommendation.verdict,
        development=benchmark.judges and benchmark.look.shown > 0,
        choice=recommendation.choice,
        reasons=(
            *recommendation.reasons,
            *key_noise(material),
            *paid_back(material),
            *worth_of_the_prompt(material),
            *tuned_or_prompted(material),
            *the_day_it_changes(material),
            *the_day_labels_are_added(material),
            *the_day_the_format_is_altered(material),
            *predicted(material, found),
        ),
        a_month=a_month(material),
        would_change=(*recommendation.would_change, *towards_the_target(material)),
        next_steps=(
            *recommendation.next_steps,
            *what_closes_the_gap(material),
            *let_a_person_help(material),
            *guarded.rather_silent(material),
            *worth_deciding(material),
            *checks_took_too_long(material),
        ),
        main=main_table(material),
        approaches=approaches_table(material),
        targets=targets_table(material),
        examples=curve_table(material),
        costs=costs_table(material),
        bands=bands_table(material),
        pairs=pairs_table(material),
        mistakes=mistakes_table(material),
        all_mistakes=all_mistakes_table(material),
        slices=slices_table(material),
        probed=probed_table(material),
        probed_further=further_table(material),
        consistency=consistency_table(material),
        rebuilds=rebuilds_table(material),
        changed=changed_table(material),
        altered=altered_table(material),
        coverage=coverage_table(material),
        handover=handover_table(material),
        leaks=leaks_table(material),
        grounding=grounding_table(material),
        planted=planted_table(material),
        forgetting=forgetting_table(material),
        by_heart=by_heart_table(material),
        judge=judge_table(material),
        differences=differences_table(material),
        tuning=tuning_table(material),
        tried=tries_table(material),
        data=data(material),
        risks=risks(material),
        worth_knowing=worth_knowing(material),
        method=method(material),
        picture=picture(material),
        what_if=extras.what_if,
        volumes=costs_by_volume(material),
        winners=winners,
        learning=learning_curves(material),
        apart=differences(material),
        stable=consistency(material),
        searched=searching(material),
        cases=extras.cases,
        recorded=extras.recorded,
        provenance=dict(extras.provenance),
        facts=_finite({**_facts(material), **derived.of_the_run(material, winners, found)}),
    )


# ---------------------------------------------------------------- facts: the numbers behind the sentences, as plain JSON values


def _facts(material: Material) -> dict[str, Any]:
    """What was stated and measured."""
    told, benchmark = material.recommendation, material.benchmark
    return {
        "task": benchmark.task.name,
        "verdict": told.verdict,
        "choice": told.choice,
        "safe": told.safe,
        "cheaper_undecided": list(told.cheaper_undecided),
        "best": told.best,
        "metric": benchmark.metric.name,
        "target": benchmark.target,
        "margin": benchmark.margin,
        "exploratory": benchmark.exploratory,
        "changed_afterwards": vars(material.extras.changed) | {},
        "stop_when_decided": benchmark.sequential,
        "look": vars(benchmark.look) | {},
        "heldout_cases": len(benchmark.heldout),
        "examples": len(benchmark.task.examples),
        "examples_telling_changed_facts": examples_telling(material),
        "answer_characters": _mean_length([case.output for case in benchmark.task.examples]),
        "fingerprint": benchmark.fingerprint,
        "volume": benchmark.volume,
        "horizon_months": benchmark.horizon_months,
        "by_volume": by_volume(material),
        "seed": material.extras.seed,
        "checks_took": time_fact(material.extras.taken),
        "recorded": material.extras.recorded,
        "judge": judge_facts(material.extras.judge),
        "candidates": [_candidate(status, material) for status in material.statuses],
        "differences": [
            {
                "first": each.first,
                "second": each.second,
                "mean": each.mean,
                "lower": each.lower,
                "upper": each.upper,
                "p_value": each.p_value,
                "only_first_right": each.only_first_right,
                "only_second_right": each.only_second_right,
            }
            for each in told.differences
        ],
        "population": None if (told_apart := material.extras.population) is None else vars(told_apart) | {},
        "provenance": dict(material.extras.provenance),
    }


def _mean_length(texts: Sequence[str]) -> float:
    return sum(map(len, texts)) / len(texts) if texts else math.nan


def _candidate(status: Status, material: Material) -> dict[str, Any]:
    evaluation, cost = material.evaluations[status.candidate], material.costs[status.candidate]
    labels = material.benchmark.task.labels
    return {
        "name": status.candidate,
        "approach": evaluation.approach,
        "family": evaluation.family,
        "model": evaluation.model,
        **({"first_model": evaluation.parts[0].model} if evaluation.parts else {}),
        "state": str(status.state),
        "reason": status.reason,
        "cases": len(evaluation.scores),
        "figure": evaluation.figure,
        "interval": [evaluation.lower, evaluation.upper],
        "lower": status.lower,
        "upper": status.upper,
        "more_cases": status.more_cases,
        "metrics": dict(evaluation.shown),
        "slices": {
            key: {value: {"figure": figure, "cases": cases} for value, (figure, cases) in values.items()}
            for key, values in evaluation.by_slice.items()
        },
        "failures": dict(evaluation.failures),
        "no_answers": sum(no_answers(evaluation).values()),
        "spent": _amount(cost.spent),
        "per_thousand": _amount(cost.per_thousand),
        "monthly": _amount(cost.monthly),
        "ahead": _amount(cost.ahead),
        "bill": [
            {"name": item.name, "when": item.when, "amount": _amount(item.amount), "source": item.source}
            for item in cost.items
        ],
        "answering": _usage(evaluation.answering),
        "latency": _latency(evaluation.latency, material.benchmark),
        "consistency": [_agreement(check, material.benchmark) for check in evaluation.agreements],
        "parts": derived.weakest(evaluation, material.benchmark),
        "passes": list(evaluation.passes),
        "draws": len(evaluation.passes),
        "rebuilds": _rebuilds(evaluation.rebuilds),
        "changed": None if (facts := evaluation.changed) is None else derived.changed(facts),
        "added": None if (more := evaluation.added) is None else derived.counts(more, more.at_once, more.cases),
        "retrieval": _retrieval(evaluation),
        "mistakes": as_fact(material.extras.all_mistakes.get(status.candidate)),
        "leaks": None if (leaks := evaluation.leaks) is None else vars(leaks) | {},
        "perhaps_leaked": None if (alike := evaluation.perhaps_leaked) is None else vars(alike) | {},
        "coverage": None if (known := evaluation.coverage) is None else vars(known) | {},
        "guard": None if evaluation.guard is None else guarded.as_fact(evaluation.guard),
        "handover": None if (part := evaluation.handover) is None else derived.handover(part),
        "grounding": None if (stand := evaluation.grounding) is None else derived.grounding(stand),
        "planted": [derived.counts(each, each.followed, each.cases) for each in evaluation.planted],
        "altered": None if (ruled := evaluation.altered) is None else derived.counts(ruled, ruled.at_once, ruled.cases),
        "by_heart": None if (known_by := evaluation.by_heart) is None else derived.by_heart(known_by),
        "forgetting": None if evaluation.forgetting is None else asdict(evaluation.forgetting),
        "limited": measured(evaluation, material.benchmark),
        "following": facts_of(material, status.candidate),
        "chosen": shared(evaluation.chosen, labels),
        "selection_score": evaluation.selection_score,
        "trials": evaluation.trials,
        "tried": as_facts(material.extras.trials.get(status.candidate, ()), labels),
        "rising": evaluation.rising,
        "curve": [
            {
                "examples": point.examples,
                "samples": len(point.scores),
                "figures": list(point.figures),
            }
            for point in (evaluation.curve.points if evaluation.curve else ())
        ],
        "expected": [
            {"examples": examples, "lower": low, "upper": high} for examples, low, high in expected(evaluation)
        ],
    }


def _amount(cost: Amount) -> dict[str, Any]:
    return {"value": cost.value, "unit": cost.unit, "low": cost.low, "high": cost.high}


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "requests": usage.calls,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "answer_tokens": usage.answer_tokens,
        "seconds": usage.seconds,
    }


def _latency(latency: Latency | None, benchmark: Benchmark) -> dict[str, Any] | None:
    if latency is None:
        return None
    return {
        "p50_s": latency.p50_s,
        "p95_s": latency.p95_s,
        "requests": latency.requests,
        "throughput_per_s": latency.throughput_per_s,
        "longer_than_limit": derived.longer(latency, benchmark),
    }


def _agreement(check: Agreement, benchmark: Benchmark) -> dict[str, Any]:
    return {
        "check": check.name,
        "says": check.says,
        "pairs": check.pairs,
        "same": check.same,
        "alpha": check.alpha,
        "right_twice": check.right_twice,
        "wrong_twice_same": check.wrong_twice_same,
        "wrong_twice_different": check.wrong_twice_different,
        "right_then_wrong": check.right_then_wrong,
        "wrong_then_right": check.wrong_then_right,
        **derived.agreement(check, benchmark),
    }


def _rebuilds(found: Rebuilds | None) -> dict[str, Any] | None:
    if found is None:
        return None
    figures = list(found.figures)
    done = {
        "cases": len(found.keys),
        "rebuilds": len(figures) + found.failed,
        "failed": found.failed,
        "waiting": found.waiting,
    }
    told: dict[str, Any] = {**done, "figures": figures}
    if len(figures) < 2:
        return told
    twice, never, once = turns(found)
    same = {"right_twice": twice, "wrong_twice": never, "flipped": once}
    mean = kept(found, {}).mean
    return told | {"same": mean, "changed": 1 - mean, **same, "spread": list(spread(found))}


def _retrieval(evaluation: Evaluation) -> dict[str, Any] | None:
    quality = evaluation.retrieval
    if quality is None:
        return None
    recall = {str(k): share for k, share in quality.recall_at.items()}
    wrong = {"missed": quality.missed, "misread": quality.misread, "wrong": quality.missed + quality.misread}
    wrong["on_selection"] = quality.on_selection
    named = {} if evaluation.oracle_named is None else {"oracle_named": asdict(evaluation.oracle_named)}
    shares = {"not_found": 1 - max(quality.recall_at.items())[1] if recall else None, "oracle": evaluation.oracle}
    return {"cases": quality.cases, "recall_at": recall, "mrr": quality.mrr, **wrong, **shares, **named}


def _finite(value: Any) -> Any:
    """The value as JSON can hold it: numbers finite or null, keys as text, anything unknown as text."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_finite(each) for each in value]
    return str(value)
