//! What of a message's parts is kept: the beginning of each first, then more in order.

use super::super::labels::{Heading, Label, heading};
use super::parts::{Line, Part};
use crate::memory::Block;

/// Maximum characters of all blocks together.
pub const BUDGET: usize = 1400;

/// Maximum characters of a line at the beginning of a block, and later if there is room.
const FIRST_LINE: usize = 240;
const LINE: usize = 600;

/// Maximum characters of a heading or a lead-in.
const HEADING: usize = 120;
const LEAD_IN: usize = 200;

/// Marks where something is left out.
const CUT: &str = " […]";

/// The parts as blocks, within the budget. Remarks come last.
pub fn blocks(parts: &[&Part]) -> Vec<Block> {
    let mut left = BUDGET;
    // Whether the part is told, and how many characters its first line got.
    let mut taken: Vec<Option<Block>> = parts.iter().map(|_| None).collect();
    let is_minor = |part: &Part| part.label() == Some(Label::Minor);
    let order = || {
        let at = |minor| move |&at: &usize| is_minor(parts[at]) == minor;
        (0..parts.len()).filter(at(false)).chain((0..parts.len()).filter(at(true)))
    };
    for at in order() {
        let block = beginning(parts[at]);
        let cost = chars(&block.heading) + chars(&block.lead_in) + lines_cost(&block.lines);
        if cost > left {
            break;
        }
        left -= cost;
        taken[at] = Some(block);
    }
    for at in order() {
        let Some(block) = &mut taken[at] else { continue };
        more(block, parts[at], &mut left);
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (part, block) in parts.iter().zip(taken) {
        match block {
            Some(block) => blocks.push(block),
            None => {
                if let Some(last) = blocks.last_mut() {
                    last.more += count(part.lines.len());
                }
            }
        }
    }
    blocks
}

/// The block with its first line.
fn beginning(part: &Part) -> Block {
    // The place where they are told names causes and what was done.
    let is_named = |text: &str| {
        let label = heading(text).map(Heading::label);
        matches!(label, Some(Label::Generic | Label::Cause | Label::Done))
    };
    let told = |text: &str, max: usize| if is_named(text) { String::new() } else { cut(text, max) };
    Block {
        heading: told(&part.heading, HEADING),
        lead_in: told(&part.lead_in, LEAD_IN),
        kind: part.kind,
        lines: part.lines.iter().take(1).map(|line| quoted(line, part, FIRST_LINE)).collect(),
        momentary: Vec::new(),
        more: count(part.lines.len().saturating_sub(1)),
    }
}

/// Adds further lines, and the rest of the first, while there is room.
fn more(block: &mut Block, part: &Part, left: &mut usize) {
    if let (Some(first), Some(line)) = (block.lines.first_mut(), part.lines.first())
        && first.contains(CUT)
    {
        let whole = quoted(line, part, LINE);
        let cost = chars(&whole).saturating_sub(chars(first));
        if cost <= *left {
            *left -= cost;
            *first = whole;
        }
    }
    for line in part.lines.iter().skip(1) {
        let text = quoted(line, part, LINE);
        let cost = chars(&text) + 1;
        if cost > *left {
            break;
        }
        *left -= cost;
        block.lines.push(text);
        block.more = block.more.saturating_sub(1);
    }
}

fn quoted(line: &Line, part: &Part, max: usize) -> String {
    let text = cut(&line.text, max);
    if part.quoted { format!("“{text}”") } else { text }
}

/// At most `max` characters of the text. The cut is between words and marked.
pub fn cut(text: &str, max: usize) -> String {
    if text.char_indices().nth(max).is_none() {
        return text.to_owned();
    }
    let room = max.saturating_sub(chars(CUT));
    let end = text.char_indices().nth(room).map_or(0, |(at, _)| at);
    let head = &text[..end];
    let head = match head.rfind(' ') {
        Some(space) if space * 2 >= head.len() => &head[..space],
        _ => head,
    };
    // A code span that the cut would leave open.
    let head = match head.rfind('`') {
        Some(tick) if head.bytes().filter(|b| *b == b'`').count() % 2 == 1 => &head[..tick],
        _ => head,
    };
    format!("{}{CUT}", head.trim_end_matches([' ', ',', ';', ':', '(', '—']))
}

fn lines_cost(lines: &[String]) -> usize {
    lines.iter().map(|line| chars(line) + 1).sum()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::parts::parts;
    use super::*;

    fn read(text: &str) -> Vec<Block> {
        let parts = parts(text);
        blocks(&parts.iter().collect::<Vec<_>>())
    }

    fn size(blocks: &[Block]) -> usize {
        let of = |b: &Block| chars(&b.heading) + chars(&b.lead_in) + lines_cost(&b.lines);
        blocks.iter().map(of).sum()
    }

    #[test]
    fn each_block_gives_its_beginning_first() {
        let list = |name: &str| {
            format!("## {name}\n{}\n", format!("- item of {name} with some words\n").repeat(40))
        };
        let blocks = read(&format!("{}{}{}", list("Alpha"), list("Beta"), list("Gamma")));
        let headings: Vec<&str> = blocks.iter().map(|block| block.heading.as_str()).collect();
        assert_eq!(headings, ["Alpha", "Beta", "Gamma"]);
        for block in &blocks {
            assert_eq!(block.lines.len() + block.more as usize, 40);
        }
        assert!(blocks[0].lines.len() > 20 && !blocks[2].lines.is_empty());
        assert!((BUDGET - 200..=BUDGET).contains(&size(&blocks)));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let text = (0..60).map(|n| format!("## Part {n}\n{}\n", "word ".repeat(30)));
        let blocks = read(&text.collect::<String>());
        let told: usize = blocks.iter().map(|block| block.lines.len() + block.more as usize).sum();
        assert_eq!(told, 60);
        assert!(blocks.last().unwrap().more > 0);
    }

    #[test]
    fn remarks_give_way() {
        let notes = format!("## Notes\n{}\n", "- a remark of many words\n".repeat(20));
        let text = format!("{notes}## Gate\n{}", "- closes the gate at night\n".repeat(60));
        let blocks = read(&text);
        assert_eq!(blocks[0].lines.len(), 1);
        assert!(blocks[1].lines.len() > 40);
    }

    #[test]
    fn cuts_are_marked() {
        assert_eq!(cut("one two three four", 14), "one two […]");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("run `make the thing` now", 14), "run […]");
        assert_eq!(read(&"long ".repeat(1000))[0].lines[0].chars().count(), 598);
    }

    proptest::proptest! {
        #[test]
        fn any_text_fits(text in r"[-#*>|`:. a-zé\n]{0,3000}") {
            let blocks = read(&text);
            proptest::prop_assert!(size(&blocks) <= BUDGET);
        }
    }
}
