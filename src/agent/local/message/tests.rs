//! Whole messages: what is kept, in which words, and that any text is read.

use super::*;

fn body(text: &str) -> Vec<(String, String, Vec<String>)> {
    let body = Message::read(text).body();
    body.into_iter().map(|block| (block.heading, block.lead_in, block.lines)).collect()
}

fn lines(text: &str) -> Vec<String> {
    Message::read(text).body().into_iter().flat_map(|block| block.lines).collect()
}

const LONG: &str = "All done! I've added the **gate** to the importer (see `src/gate.rs`).

## What changed

1. **Gate** — closes after the last row
   - logs the row
   - counts it
2. **CLI**: a `--gate` flag

| case | before | after |
|------|-------:|------:|
| empty | panic | ok |
| one | 12 ms | 8 ms |

### Root cause

The guard returned too early, because `close()` was called twice:

```rust
fn close() {
    self.open = false;
    self.flush();
    self.close();
}
```

## Tests

All 41 tests pass.

> quoted: never test

## Next steps

- [ ] Wire the importer
- [x] Docs

You need to set `IMPORT_TOKEN` before the first run.

Which way do you want to go?
- A: keep the flag
- B: drop it";

#[test]
fn a_message_keeps_its_structure() {
    let message = Message::read(LONG);
    let body = message.body();
    let shown: Vec<(&str, &str, BlockKind, usize)> = body
        .iter()
        .map(|block| {
            (block.heading.as_str(), block.lead_in.as_str(), block.kind, block.lines.len())
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("", "", BlockKind::Paragraph, 1),
            ("", "", BlockKind::List, 2),
            ("", "", BlockKind::Table, 2),
            ("Tests", "", BlockKind::Paragraph, 1),
            ("Tests", "", BlockKind::Paragraph, 1),
            ("", "", BlockKind::Paragraph, 1),
        ]
    );
    assert_eq!(body[1].lines[0], "Gate — closes after the last row — logs the row; counts it");
    assert_eq!(body[2].lines[1], "one: before 12 ms; after 8 ms");
    assert_eq!(body[4].lines, ["“quoted: never test”"]);
    let cause = message.blocks(Label::Cause);
    let twice = "The guard returned too early, because `close()` was called twice […]";
    assert_eq!(cause[0].lines, [twice]);
    assert_eq!(cause[0].heading, "", "the label says it");
    let steps: Vec<String> =
        message.next(&Evidence::default()).into_iter().map(|step| step.text).collect();
    assert_eq!(
        steps,
        ["Wire the importer", "You need to set `IMPORT_TOKEN` before the first run."]
    );
    let asked = message.asked().unwrap();
    assert_eq!(asked.text, "Which way do you want to go?");
    assert_eq!(asked.options, ["A: keep the flag", "B: drop it"]);
}

#[test]
fn the_examples_of_the_design() {
    // 8: nothing was changed, so nothing is contradicted but the words stay.
    let done = Message::read("Done! Added the gate.");
    assert_eq!(done.claims(&Evidence::default(), &[]), []);
    assert_eq!(lines("Done! Added the gate."), ["Added the gate."]);
    // 13
    let see = body("Restarted.\n\nYou should now see:\n- a banner\n- a prompt");
    assert_eq!(see[0].1, "You should now see:");
    assert_eq!(see[0].2, ["a banner", "a prompt"]);
    // 14
    let table = "| bug | fix |\n|--|--|\n| leak | close |\n| race | lock |";
    assert_eq!(lines(table), ["leak: close", "race: lock"]);
    // 15
    let code = format!("I changed the guard from:\n```\n{}```", "x = 1\n".repeat(9));
    assert_eq!(lines(&code), ["I changed the guard from […]"]);
}

#[test]
fn what_is_told_elsewhere_is_not_told_twice() {
    let evidence = Evidence { tool_uses: 1, ..Evidence::default() };
    let text = "I added a gate to the importer.\n\nYou need to set `TOKEN`.\n\nShall I push?";
    let message = Message::read(text);
    let lines = |earlier: &[Turn]| -> Vec<String> {
        let body = message.body_beyond(&evidence, earlier);
        body.into_iter().flat_map(|block| block.lines).collect()
    };
    assert_eq!(lines(&[]), ["I added a gate to the importer."]);
    let done = Block { lines: vec!["I added a gate to the importer.".into()], ..Block::default() };
    let turn = Turn { done: vec![done], ..Turn::default() };
    assert_eq!(lines(&[turn]), [] as [&str; 0]);
}

#[test]
fn sentences_that_say_nothing_are_not_told() {
    assert_eq!(lines("Done! The gate closes now."), ["The gate closes now."]);
    assert_eq!(lines("完成。修复了解析器的问题。"), ["修复了解析器的问题。"]);
    assert_eq!(lines("Done!"), ["Done!"]);
    assert_eq!(lines("## Status\nGreen.\n\n- Gate\n- CLI"), ["Gate", "CLI"]);
}

#[test]
fn texts_of_the_client_are_no_message() {
    for text in ["API Error: 529 overloaded", "No response requested.", "", " \n"] {
        let message = Message::read(text);
        assert!(message.parts.is_empty() && message.asked.is_none(), "{text}");
    }
}

fn read_all(text: &str) {
    let message = Message::read(text);
    let evidence = Evidence { tool_uses: 1, ..Evidence::default() };
    message.next(&evidence);
    message.claims(&evidence, &[]);
    message.confirms(&Blocker { subject: "nvcc".into(), ..Blocker::default() });
    message.body_beyond(&evidence, &[]);
    let labels = [Label::Next, Label::Cause, Label::Option, Label::Test, Label::Minor];
    for block in labels.into_iter().flat_map(|label| message.blocks(label)).chain(message.body()) {
        assert!(!block.lines.is_empty(), "a lead-in alone: {block:?}");
    }
}

#[test]
fn any_truncation_is_read() {
    for (at, _) in LONG.char_indices() {
        read_all(&LONG[..at]);
        read_all(&LONG[at..]);
    }
}

/// Texts that repeat one mark: quadratic work would take minutes here.
#[test]
fn long_texts_are_read() {
    let marks = [
        "*",
        "_",
        "`",
        "[",
        "]",
        "(",
        "<",
        "~",
        "|",
        "#",
        "- ",
        "> ",
        "1. ",
        ": ",
        ", run ",
        "? ",
        ". ",
        "a.",
        "- a\n",
        "| a |\n",
        "a:\n\n",
        "```\n",
        "**a**\n",
        "> a\n",
        "you need to ",
        "请",
        "[a](",
        "`a` ",
        "tests pass ",
        "  - a\n",
        "next: a\n",
        "\t",
        "é",
        "\u{301}",
    ];
    for mark in marks {
        read_all(&mark.repeat(60_000 / mark.len()));
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in r"\PC{0,200}|[-#*>|`:.?!0-9a-z，。é \n]{0,300}") {
        read_all(&text);
    }
}

#[test]
fn labels_are_not_told_twice() {
    let cause = Message::read("Fixed.\n\n**Root cause:** the guard is late.").blocks(Label::Cause);
    assert_eq!(
        (cause[0].heading.as_str(), cause[0].lines.as_slice()),
        ("", &["the guard is late.".into()][..])
    );
    assert_eq!(body("Changes made:\n- a lock\n- a test")[0].1, "");
    assert_eq!(body("In `gate.rs`:\n- a lock\n- a test")[0].1, "In `gate.rs`:");
}

#[test]
fn decisions_stand_in_lines_of_their_own() {
    let decisions = |text: &str| Message::read(text).decisions();
    assert_eq!(
        decisions("I compared both. It reads fast.\n\nDecision: use SQLite. It needs no server."),
        ["use SQLite."]
    );
    assert_eq!(decisions("## Decisions\n- tabs\n- UTC"), ["tabs", "UTC"]);
    assert_eq!(decisions("**Entscheidung:** PostgreSQL bleibt."), ["PostgreSQL bleibt."]);
    assert_eq!(decisions("> Decision: never test"), [] as [&str; 0]);
    assert_eq!(decisions("Decision: symlinks are not followed?"), [] as [&str; 0]);
}

#[test]
fn boxes_that_teach_are_left_out() {
    let text = "★ Insight ─────\n- labels are better\n─────\n\nThe test found a hole.";
    assert_eq!(lines(text), ["The test found a hole."]);
    assert_eq!(lines("`★ Insight ───`\nRead it."), [] as [&str; 0]);
}
