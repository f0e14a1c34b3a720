"""What the page on trust says above its tables."""

from __future__ import annotations

INTRODUCTION = """\
# Can it be trusted?

An approach that is right in 80 % of the cases may still answer otherwise when a comma moves, be another one once it is built
again, invent an answer where there is none, or lose what the model could do before. This page shows what was measured of that.
All of it is with one model of 135 million parameters, so the pattern is worth more than the numbers.

*Prompting* asks the model as it is, *retrieval* puts passages or similar examples into the prompt, *lora* trains a small
addition to its weights (an adapter), *lora + retrieval* does both; *(cheapest)* is the setup with the fewest tokens among
equals. The others ask no language model ([How it is measured](how-it-is-measured.md) says what each does). The tasks: messages
to be labelled (support-intents, banking77, sms_spam), questions (handbook-qa, nq_open_oracle, pubmedqa), fields to be filled in
(order-extract, snips_slots), notices to be written in a house's style (house-style).
"""
SOURCES = """\
**Bake-offs**: what every run measures, from the runs behind [Eight bake-offs](bakeoffs.md), with up to 600 examples.
**Checked**: what is measured on request (`--probes all`), from smaller runs made for this page at
`--effort quick`, with {sizes}, and {heldout} held-out cases each. The
figures of the two are not to be set against each other. Tables of these runs show the approaches with a language model and the
best of the others. {sampled}
How each is measured: [How it is measured](how-it-is-measured.md). The page is written by
`python -m benchmarks.studies.trust table` from the rows in `benchmarks/studies/rows` and from nothing else.

*Figure* is the task's own metric: the share of right answers, but F1 of spam on sms_spam, F1 of the fields on order-extract, and
the share of rules that are kept on house-style. *Right* is an answer that is wholly right.
"""
EDITS = """\
The same requests were asked again with harmless edits of case, spacing, punctuation or a greeting (of spacing alone where the
input may be copied). The first number is the share of answers that stayed, with its 95 % interval; right twice counts as the
same. Behind it stands how many of the answers that had been right stayed right.
"""
VARIED = """\
The checked runs asked the same requests in another form of the prompt or with its examples in another order (approaches that
ask the model as it is), of the same configuration trained once more with another seed (tuned ones, which know one form), and
among other requests in one batch. The cells are as above; a dash: does not apply. Requests in other words were never asked: a
task names a `teacher` who writes them, and no part of this study does.
"""
REBUILT = """\
The fair test of "weights are steadier than prompts": everything is done again, choosing included, three times, each time on
another four fifths of the examples and with another seed. Compared are two approaches that differ in nothing but the tuning,
and three times show large differences only. *Spread* is the standard deviation of the figure, and a dash
where rows are from before it was kept and hold the share of right answers only, which is not the figure.
"""
FORGOTTEN = """\
Perplexity says how surprised a model is by text. Here it is general text (stories, recipes, code, letters), after tuning over
before: 1 is as before. KL is the Kullback-Leibler divergence of the tuned model from its base in nats a token, 0 where nothing
moved. In brackets are 95 % intervals, for other such texts and prompts; rows of the checked runs are from before KL and the
next token had theirs. The gain on the task is over the best that the same model reaches untuned. The bake-offs are from before
the product chose how much of an adapter to use: in a trial on banking77 with 300 examples that brought 17 times down to 1.14
(the log).
"""
GENERAL = """\
Questions that have nothing to do with the task, where the base is shown to be better than chance. An interval below 0 is a loss.
*Topic* is a sentence about sport, food, weather or music, so that a quarter is right by guessing.
"""
GROUNDED = """\
Where the specifics of an answer stand (numbers, and words that fewer than one in ten documents hold). In none: invented, or
said in other words. No model judges this. What reads passages may answer a question that has no answer from a passage about
something else, which the last column counts.
"""
GUARDED = """\
A threshold of sureness was set on the selection cases so that about one right answer in twenty is lost; what was lost on the
held-out cases stands in the table. A dash: too few right answers to set it by (it takes 19). *Tells* is the chance that the
approach is surer of the better of two of its answers: at 0.5 it cannot tell, and no threshold helps.
"""
CHANGED = """\
Facts in the documents were replaced by others. At first nothing was fitted again; what reads documents was given the new ones.
Counted are questions to which the old fact had been answered. *Took* is how long it was to index the changed documents again; a
dash: none are read. Who had answered none is left out.
"""
CHANGED_ONCE = """\
What another fit brings was not measured in these runs.
"""
CHANGED_AGAIN = """\
Another fit learns from examples that told such a fact in other words, rewritten by program: of the questions for these facts
that it had answered those that get the new answer then. A dash there: it had answered none of them, nothing in it comes from
examples, or the row is from before that was measured.
"""
ADDED = """\
Approaches were built without some of the labels, then given them: at once, which heads cannot take, and by another fit, which
took as long as the last column says; a dash: nothing in it is built from examples. A label that is added takes answers from the
others: see how many of these were right before and at once.
"""
ALTERED = """\
A rule of the answers' format was altered (capital letters), and every approach that can be told of it was. Only the format is
counted, not whether the answer is right. The last column says how long another fit took; a dash: nothing in it is fitted to the
examples.
"""
PLANTED = """\
A sentence that asks for another answer was put into the request, or into the passage that is found. Nothing in the product
defends against that: this is how often it worked. What stands in the documents themselves may be followed more often than
what this check puts into a passage (`benchmarks/studies/faults.md`, poisoned documents).
"""
BY_KIND = """\
By what the sentence is: an order to answer otherwise, a false message of the system, another task, a wish of the person who
asks, a false rule of the task. Each row adds up its own tasks, so read along a row and not down a column:
"""
CHECKED_FORGOTTEN = """\
Of the checked runs, and what they answer to everyday prompts: *same* are those in the base's own words, so that the others moved,
for better or worse.
"""
BY_HEART = """\
What a tuned model answers with no document before it: questions of its training, the same facts asked in other words, and facts
that no example told. The last column is what it makes up or happens to know.
"""
LEAKED = """\
sms_spam is published as one file, without a split. The split that was used here (3,000 examples and 1,500 held-out cases of its
5,575 messages) has held-out messages among its examples: 128 word for word, and 162 with those that are nearly the same. (What
the product downloads by that name is cut so that the same message is on one side only.) The examples that they repeat are left
out before anything is fitted. Figures are shown with and without these cases: they are often the easy ones. The approaches with a
language model had 100 held-out cases, 10 of them such. The task has no documents, two labels and no rule of format, so that
nothing in it can change in the ways above; its rows are from before thresholds were set where a task has an F1.
"""
