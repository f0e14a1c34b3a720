"""What the page on trust says of each table beside what it shows: how it was measured and how to read it."""

from __future__ import annotations

INTRODUCTION = """\
# Can it be trusted?

An approach that is right in 80 % of the cases may still change its answer when a comma moves, answer otherwise once it is built
again, invent an answer where there is none, or, once tuned, lose what the model could do before. This page shows how often that
happened. All of it is with one language model, of 135 million parameters, so the pattern is worth more than the numbers.

*Prompting* asks the model as it is, *retrieval* puts passages or similar examples into the prompt, *lora* trains a small
addition to its weights (an adapter), and *lora + retrieval* does both. The others ask no language model.
"""
SOURCES = """\
- **Bake-offs** are the runs behind [Eight bake-offs](bakeoffs.md), with up to 600 examples. They give what every run measures.
- **Checked runs** are smaller runs made for this page at `--effort quick`, with {sizes},
  and {heldout} held-out cases each. They give what is measured on request only (`--probes all`). Of the approaches without a
  language model their tables show the best one.

Do not compare figures of the one kind with figures of the other. [How it is measured](how-it-is-measured.md) explains every
approach and every measure. {sampled}

Labels are given on support-intents, banking77 and sms_spam, questions answered on handbook-qa, nq_open_oracle and pubmedqa,
fields filled in on order-extract and snips_slots, and notices written in a house's style on house-style. sms_spam has no
documents, only two labels and no rule of format, so it is missing where these change; its rows are from before thresholds were
set for a figure such as F1 of spam.

*Figure* is the task's own metric: F1 of spam on sms_spam, F1 of the fields on order-extract, the share of rules kept on
house-style, and the share of right answers on the others. *Right* means wholly right. *(cheapest)* is the setup with the fewest
tokens among equals.
"""
WRITTEN = """\
This page is written by `python -m benchmarks.studies.trust table`, from the rows in `benchmarks/studies/rows` and nothing else.
"""
EDITS = """\
The same requests were asked again with harmless edits: of case, spacing, punctuation or a greeting, or of spacing alone where
the input may be copied into the answer. Each cell gives the share of answers that stayed the same with its 95 % interval (right
twice counts as the same), then how many of the right answers stayed right, unless none was right.
"""
EDITS_CHECKED = """\
The same for the checked runs, on tasks without a bake-off:
"""
VARIED = """\
These are checked runs. Approaches that ask the model as it is were asked in another form of the prompt or with its examples in
another order. Tuned models, which know one form only, were trained once more with another seed. All were also asked among other
requests in one batch. Cells are as above; a dash: does not apply. No request was asked in other words: a `teacher` named in the
task writes those, and no part of this study has one.
"""
REBUILT = """\
The checked runs did everything again three times, choosing included, each time on another four fifths of the examples and with
another seed. That is the fair test of "weights are steadier than prompts": two approaches are compared only where they differ in
nothing but the tuning. Three builds show large differences only. *Spread* is the standard deviation of the figure. A dash: the
row was made before spread was kept, and holds only the share of right answers, which is not the figure.
"""
FORGOTTEN = """\
Perplexity says how much a text surprises the model. The table gives it on general text (stories, recipes, code, letters) after
tuning, divided by that before: 1 is as before. KL is the Kullback-Leibler divergence of the tuned model from its base in nats a
token, 0 where nothing moved. *Same next token* is the share of places at which both go on alike. Brackets hold 95 % intervals
for other such texts and prompts; a KL or next token without one was measured before they had intervals. The gain on the task is
over the best that the same model reaches untuned.
"""
CHECKED_FORGOTTEN = """\
*Same everyday answers* counts the prompts to which the tuned model gives its base's answer word for word. The others changed,
for better or worse.
"""
GENERAL = """\
Such a test is used only where the base is shown to be better than chance. *Topic* asks whether a sentence is about sport, food,
weather or music, so guessing gets a quarter right. An interval below 0 is a loss.
"""
GROUNDED = """\
A program looks for the specifics of each answer: numbers, and words that fewer than one in ten documents hold. *In no document*
means invented, or said in other words. No model judges this. The last column counts questions without an answer that were
answered all the same; an approach that reads passages may do that from a passage about something else.
"""
BY_HEART = """\
Tuned models were asked with no document before them: questions of their training, questions in other words about the same facts,
and questions about facts that no example told. What is right in the last column was guessed, or known before.
"""
GUARDED = """\
An answer is held back where the approach is less sure than a threshold, set on the selection cases so that about one right
answer in twenty is lost. The table shows what was lost on the held-out cases. A dash: too few right answers to set a threshold
by (it takes 19). *Tells* is the chance that the approach is surer of the better of two of its answers.
"""
GUARDED_CHECKED = """\
The same for the checked runs, on the tasks that the bake-offs lack here:
"""
CHANGED = """\
Facts in the documents were replaced by others. At first nothing was fitted again, but approaches that read documents were given
the new ones. Counted are the questions that an approach had answered with the old fact; one that had answered none is left out.
*Took* is the time to index the changed documents again; a dash: the approach reads none.
"""
CHANGED_ONCE = """\
What another fit would bring was not measured in these runs.
"""
CHANGED_AGAIN = """\
Another fit learns from examples that told such a fact in other words, rewritten by program. *New after another fit* counts the
questions about these facts that the approach had answered and now answers with the new fact. A dash there: it had answered none
of them, nothing in it comes from examples, or the row was made before this was measured.
"""
ADDED = """\
Approaches were built without some of the labels and then given them, first at once, which heads cannot take, and then by another
fit. *Took* is the time of that fit; a dash: nothing in the approach is built from examples. An added label takes answers from
the others, so the table also shows how many cases of those were right before and at once.
"""
ALTERED = """\
A rule of the answers' format was altered (to capital letters), and every approach that can be told so was told. Counted is the
format alone, not whether the answer is right. *Took* is the time of another fit; a dash: nothing in the approach is fitted to
the examples.
"""
PLANTED = """\
A sentence that asks for another answer was put into the request, or into the passage that is found. Sentences in the documents
themselves may be followed more often than those that this check puts into a passage (`benchmarks/studies/faults.md`, poisoned
documents).
"""
BY_KIND = """\
The same by the kind of sentence: an order to answer otherwise, a false message of the system, another task, a wish of the person
who asks, a false rule of the task. Each row adds up its own tasks, so read along a row and not down a column.
"""
LEAKED = """\
sms_spam is published as one file without a split. The split used here has 3,000 examples and 1,500 held-out cases of its 5,575
messages. Of the held-out ones 128 are word for word among the examples, 162 with those that are nearly the same. The examples
that they repeat are left out before anything is fitted, and figures are shown with and without these cases, which are often the
easy ones. Approaches with a language model had 100 held-out cases, 10 of them such. (What the product downloads by that name is
cut so that the same message is on one side only.)
"""
