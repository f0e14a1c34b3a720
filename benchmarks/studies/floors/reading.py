"""What wrong selection cases show, read and sorted by hand, where a floor was not reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Missed = tuple[str, str]
"""A task, and what the goal says."""
READ = {
    ("banking77", "LoRA"): (
        "of 43 selection cases that its best long training of the race had wrong the first 24. Sixteen take a "
        "neighbour among the 77 labels, such as `top_up_failed` for `pending_top_up` or `exchange_rate` for "
        '`exchange_charge`; of one the key looks wrong ("How to verify my identity" as `why_verify_identity`). Six '
        "are given `transfer_fee_charged` and two `card_linking`, which mostly have nothing to do with them, by a "
        "training of a quarter of the later one's tokens. So what lacks is mostly examples of close labels: there are "
        "eight for each."
    ),
    ("banking77", "LoRA with nearest examples or votes"): (
        "it answers with seven tenths of LoRA's own training and the votes of near examples. All four of the 48 "
        "selection cases that it had wrong, which LoRA had wrong too. Each is given a near label "
        "(`get_disposable_virtual_card` for `virtual_card_not_working`), and of two the request does not tell which "
        'is right ("Where do I top up?" as `top_up_by_cash_or_cheque`, a card "declined at a restaurant" as '
        "`card_not_working` and not as `declined_card_payment`). With .92 of these 48 beside .778 here they also "
        "chose the share of the adapter and the votes, so that they say little of what lacks beyond what LoRA's say."
    ),
    ("nq_open_oracle", "LoRA with retrieval, contained"): (
        "all 23 of the 48 selection cases that it had wrong. Thirteen name another person, place or title of the "
        "passage (the writer of a song for its singer), nine something of another kind than is asked for (a year for "
        "a day, the number of episodes for that of seasons), one half of the answer (`Minnesota`). Answers are read "
        "off as spans of at most four words, so that what contains the right one is hardly more than what equals it. "
        "So what lacks is reading, not search."
    ),
    ("pubmedqa", "lora + retrieval"): (
        "all 16 of the 41 selection cases that it had wrong. Twelve are taken for `yes`, the most frequent answer "
        "(eight `no` and four `maybe`), three `yes` and a `maybe` for `no`; none is taken for `maybe`, which is the "
        "key of five of the 41. It was set up with the two nearest questions in the prompt and without the abstracts, "
        "which had .55 of 42 cases beside .57: a model of this size answers from the sound of the question, whether "
        "the abstract stands before it or not. So what lacks is reading. The verdict of such a run says that nothing "
        "is shown to beat one answer to all."
    ),
    ("sms_spam", "the best"): (
        'the one of the 48 selection cases that LoRA had wrong. It is a warning that quotes a fraud ("Hi ya babe x u '
        "4goten bout me?' scammers getting smart..\"), whose key, spam, can be doubted. So it does not show what "
        "lacks; the interval does not exclude the floor."
    ),
    ("sms_spam", "everything that is trained"): (
        "all wrong selection cases, seven of 150 of tf-idf, five each of the contrastive and the linear head, one of "
        "48 of LoRA and two of LoRA with retrieval: 20 answers to eleven messages. Thirteen are spam: eight in the "
        "words of a private message, four of them that warning and the others such as \"Sorry I missed your call let's "
        'talk when you have the time. I\'m on 07090201529"; two a notice without an offer ("You will be receiving this '
        "week's Triple Echo ringtone shortly.\"), three offers of chats and pictures. Seven are ham: three a notice of "
        'a service ("As per your request ... has been set as your callertune"), two "Unlimited texts. Limited '
        'minutes.", two plain messages. So what is missed first are messages whose words do not tell. Of the linear '
        "head, which is the lowest, it is the threshold too: 2 is added to the log-share of spam, chosen by 150 "
        "selection cases with 20 spam; with 1 it would have .901 here, with nothing .887."
    ),
    ("snips_slots", "nearest examples in the prompt"): (
        "of the 124 of 150 selection cases that it had wrong the first 24. Twelve give one value to several slots or "
        "name a slot twice (`Lebanon` as city and as country), six take another slot (an artist as the service), six "
        "leave a slot out or cut its value elsewhere. All are of the right form and of words of the request, so what "
        "lacks is knowing the slots, which is what training brings. The search was not at its end when its tokens "
        "were: eight nearest examples had .20 of 50 cases, the three that were taken .17 of 150."
    ),
    ("e2e_nlg", "lora"): (
        "the 24 of 48 selection cases that score lowest (.36 to .61). Twelve leave out one of the six or seven things that they "
        "are given, whether children are welcome (seven), the price (four) or the rating; nine say all of it in other words than "
        "the keys; three say all of it and one thing twice. It is long inputs that lose something: ten of the twelve are given "
        "seven things. The plain script's LoRA, trained on the same 600 examples, is as good within four "
        "points, which is what 135 cases can tell."
    ),
    ("tldr_commands", "lora or lora + retrieval"): (
        "all 14 of the 48 selection cases that lora + retrieval had wrong. Five were shown a passage that lacks the "
        "command; of the other nine four are given another command of the page, three its heading, two a part of the "
        "right one. Answers were read off as the sentence around the likeliest eight words, which a training of a "
        "twentieth of the later one's tokens did better than writing (the race chose so). With all that the later one "
        "learnt, which read worst of all (.15), writing has .80 of 150 developed cases. So what lacked was the "
        "choice, which is made after the later training now. The second check has the 595 cases that were left."
    ),
}
"""By what was missed in the first check."""


def told(missed: Sequence[Missed], texts: Mapping[Missed, str]) -> list[str]:
    """The lines of a page: what was read, and of which nothing was read yet."""
    lines = [f"\n{task}, {says}: {texts[task, says]}" for task, says in missed if (task, says) in texts]
    if lines:
        lines = ["", "Wrong selection cases, read and sorted where a floor was not reached:", *lines]
    if unread := "; ".join(f"{task}, {says}" for task, says in missed if (task, says) not in texts):
        lines += ["", f"Of these that were missed the wrong selection cases have not been read: {unread}."]
    return lines
