"""What was kept of the vocabulary, what was proved of it, and what it does to words."""

from __future__ import annotations

from core.export.markup import NOTHING, Markup, joined, paragraph, table
from core.export.report.run import Run
from core.wording import number


def vocabulary(run: Run) -> Markup:
    """The section; empty where the vocabulary is the teacher's."""
    found = run.stages.get("vocabulary")
    if not found:
        return NOTHING
    fertility, unknown, proof, same = (found[key] for key in ("fertility", "unknown", "proof", "model_proof"))
    rows = [
        ("Tokens a word", number(fertility["before"], 3), number(fertility["after"], 3)),
        ("Unknown tokens", f"{unknown['before']:,}", f"{unknown['after']:,}"),
    ]
    kept = ", ".join(f"{count:,} {reason}" for reason, count in found["reasons"].items() if count)
    words = (
        f"{len(found['kept']):,} tokens: {kept}. They are {100 * found['coverage']:.2f} % of the tokens of the text "
        f"that they were chosen on. On {proof['lines']:,} texts held out from that, {proof['compared']:,} have kept "
        f"tokens only, and each is cut as before. Without the tokens that go, the model's hidden states were found "
        f"equal bit for bit on {same['compared']:,} texts ({same['tokens']:,} tokens), and so were the logits of the "
        f"kept tokens. {proof['spelt']:,} are spelt by the kept alphabet, and have no new unknown token. "
        f"{100 * found['split']:.1f} % of the words take more tokens than before."
    )
    worst = [(word["word"], *("|".join(word[side]) for side in ("before", "after"))) for word in found["worst"]]
    broken = table("Words that break worst", ("Word", "Before", "After"), worst, words=3) if worst else NOTHING
    held_out = table("On held-out text", ("", "Before", "After"), rows)
    return joined((paragraph(words), held_out, broken))
