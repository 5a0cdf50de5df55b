"""The chain of the audit: whatever is changed, removed, swapped or cut is found."""

from hypothesis import given
from hypothesis import strategies as st

from migrations_app.engines import chain

ZERO = "0" * 64


def build(payloads):
    rows, previous = [], ZERO
    for seq, payload in enumerate(payloads, start=1):
        entry = {"seq": seq, "payload": payload}
        own = chain.link(previous, entry)
        rows.append((entry, previous, own))
        previous = own
    return rows, previous


def verify(rows, head_seq, head_hash):
    return chain.verify(rows, head_seq=head_seq, head_hash=head_hash, zero_hash=ZERO)


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=20))
def test_what_was_built_verifies(payloads):
    rows, head = build(payloads)
    assert verify(rows, len(rows), head).ok


@given(st.integers(0, 9), st.text(min_size=1))
def test_a_changed_entry_is_the_first_bad_one(at, value):
    rows, head = build([{"n": str(n)} for n in range(10)])
    entry, previous, own = rows[at]
    rows[at] = ({**entry, "payload": {"n": f"{at}{value}"}}, previous, own)
    assert verify(rows, 10, head).first_bad == at + 1


@given(st.integers(0, 8))
def test_two_swapped_entries_are_found(at):
    rows, head = build([{"n": n} for n in range(10)])
    rows[at], rows[at + 1] = rows[at + 1], rows[at]
    assert verify(rows, 10, head).first_bad == at + 1


@given(st.integers(1, 10))
def test_a_cut_tail_is_found(cut):
    rows, head = build([{"n": n} for n in range(10)])
    found = verify(rows[:-cut], 10, head)
    assert (found.ok, found.first_bad) == (False, 11 - cut)


def test_an_entry_rewritten_with_its_hash_does_not_fit_the_next():
    rows, head = build([{"n": n} for n in range(3)])
    forged = {"seq": 2, "payload": {"n": "forged"}}
    rows[1] = (forged, rows[1][1], chain.link(rows[1][1], forged))
    assert verify(rows, 3, head).first_bad == 3


def test_floats_are_kept_as_text_because_jsonb_spells_them_anew():
    assert chain.plain({"a": [1, 1.50, None, True]}) == {"a": [1, "1.5", None, True]}
