//! Shortens blocks of a message: beginnings first, whole lines and sentences, and no lead-in without
//! what it introduces.

use super::markdown::{self, truncate};
use super::seen::Seen;
use super::similarity::sentences;
use crate::memory::{Block, BlockKind};

/// Maximum characters of the title of a session or a row.
pub const MAX_TITLE: usize = 160;

/// The beginning of the blocks as one text of at most about `max` characters. Not inert.
pub fn text(blocks: &[Block], max: usize) -> String {
    let mut all: Vec<String> = Vec::new();
    let mut left = max;
    for block in blocks {
        if !all.is_empty() && left < 40 {
            break;
        }
        let text = block_text(block, left);
        left = left.saturating_sub(text.chars().count());
        if !text.is_empty() {
            all.push(text);
        }
    }
    all.join("\n")
}

/// One inert line per block, of about `max` characters together. Each block gets its share; what a
/// short one leaves goes to the next.
pub fn lines(blocks: &[Block], max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = max;
    for (at, block) in blocks.iter().enumerate() {
        let share = left / (blocks.len() - at);
        if share < 40 && !lines.is_empty() {
            break;
        }
        let text = markdown::paragraph(&block_text(block, share.max(60)));
        left = left.saturating_sub(text.chars().count());
        if !text.is_empty() {
            lines.push(text);
        }
    }
    lines
}

/// As many lines of the block as fit, with its heading and lead-in. Lines that do not fit are counted.
fn block_text(block: &Block, max: usize) -> String {
    let introduction = [block.heading.trim(), block.lead_in.trim()];
    let introduction: Vec<&str> =
        introduction.into_iter().filter(|text| !text.is_empty()).collect();
    let mut introduction = introduction.join(": ");
    if !introduction.is_empty() {
        introduction = format!("{}: ", introduction.trim_end_matches([':', '：']).trim_end());
    }
    let gap = match block.kind {
        BlockKind::Paragraph => " ",
        BlockKind::List | BlockKind::Table => "; ",
    };
    let mut body = String::new();
    let mut n_told = 0;
    for line in block.lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        let line = markdown::line(line);
        let length = introduction.chars().count() + body.chars().count() + line.chars().count();
        if n_told > 0 && length > max {
            break;
        }
        if n_told > 0 {
            body.push_str(if body.ends_with(['.', '!', '?', ';', ':']) { " " } else { gap });
        }
        body.push_str(&line);
        n_told += 1;
    }
    if n_told == 0 {
        return String::new();
    }
    let n_lines = block.lines.iter().filter(|line| !line.trim().is_empty()).count();
    let more = n_lines - n_told + block.more as usize;
    let more = match more {
        0 => String::new(),
        _ if block.kind == BlockKind::Paragraph => " […]".to_owned(),
        more => format!(" (+{more} more)"),
    };
    let room = max.saturating_sub(introduction.chars().count());
    let is_cut = body.chars().count() > room.max(40);
    // A first line that does not fit is told without its introduction.
    let (introduction, room) =
        if is_cut && room < 80 { (String::new(), max) } else { (introduction, room) };
    format!("{introduction}{}{more}", whole_sentences(&body, room.max(40)))
}

/// The blocks without the lines that only held when their turn ended.
pub fn lasting(blocks: &[Block]) -> Vec<Block> {
    blocks.iter().filter_map(Block::lasting).collect()
}

/// The first block with its first lines. The later ones explain it.
pub fn gist(blocks: &[Block]) -> Vec<Block> {
    const LINES: usize = 2;
    let mut gist: Vec<Block> = blocks.iter().take(1).cloned().collect();
    for block in gist.iter_mut().filter(|block| block.kind == BlockKind::Paragraph) {
        block.lines.truncate(LINES);
    }
    gist
}

/// Removes the lines that the page contains already.
pub fn drop_seen(blocks: &mut Vec<Block>, seen: &Seen) {
    for block in blocks.iter_mut() {
        block.lines.retain(|line| !seen.contains(line));
    }
    blocks.retain(|block| !block.lines.is_empty());
}

/// The sentences of a text that the page does not contain yet. All of them if none was removed, with
/// the spaces between them.
pub fn without_seen(text: &str, seen: &Seen) -> String {
    let all = sentences(text);
    let new: Vec<&str> = all.iter().copied().filter(|sentence| !seen.contains(sentence)).collect();
    if new.len() == all.len() { text.to_owned() } else { new.join(" ") }
}

/// As many whole sentences as fit into `max` characters. If not even the first one fits, its
/// beginning.
pub fn whole_sentences(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut out = String::new();
    for sentence in sentences(text) {
        let gap = if out.is_empty() || out.ends_with(['。', '！', '？']) { "" } else { " " };
        if [&out, gap, sentence].iter().map(|t| t.chars().count()).sum::<usize>() > max {
            break;
        }
        out.push_str(gap);
        out.push_str(sentence);
    }
    match out.strip_suffix(';') {
        _ if out.is_empty() => truncate(text, max),
        Some(clause) => format!("{clause}."),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(lead_in: &str, kind: BlockKind, lines: &[&str]) -> Block {
        let lines = lines.iter().map(|line| line.to_string()).collect();
        Block { lead_in: lead_in.into(), kind, lines, ..Block::default() }
    }

    #[test]
    fn a_lead_in_stands_before_what_it_introduces() {
        let check = |block: &Block, max, expected: &str| {
            assert_eq!(text(std::slice::from_ref(block), max), expected);
        };
        let list =
            block("You should now see:", BlockKind::List, &["a green dot", "a red dot", "both"]);
        check(&list, 100, "You should now see: a green dot; a red dot; both");
        check(&list, 45, "You should now see: a green dot; a red dot (+1 more)");
        check(&block("Changed:", BlockKind::List, &[]), 100, "");
        let long =
            "a line that is longer than the room that is left for it beside the introduction";
        let lonely = block("A rather long lead-in of the list:", BlockKind::List, &[long]);
        assert!(text(std::slice::from_ref(&lonely), 60).starts_with("a line that is longer"));
        let headed = Block { heading: "Limits".into(), ..list.clone() };
        check(&headed, 100, "Limits: You should now see: a green dot; a red dot; both");
    }

    #[test]
    fn every_block_gets_a_share() {
        let paragraphs = [
            block("", BlockKind::Paragraph, &["Short."]),
            block("", BlockKind::Paragraph, &["The first sentence.", "The second one is here."]),
            block("", BlockKind::Table, &["a | b", "c | d"]),
        ];
        assert_eq!(
            lines(&paragraphs, 300),
            ["Short.", "The first sentence. The second one is here.", "a | b; c | d"]
        );
        assert_eq!(lines(&paragraphs, 90)[1], "The first sentence. The second one is here.");
    }

    #[test]
    fn sentences_are_kept_whole_if_they_fit() {
        let check = |text: &str, max, expected: &str| {
            assert_eq!(whole_sentences(text, max), expected, "{text}")
        };
        check("One is done. Two is not.", 30, "One is done. Two is not.");
        check("One is done. Two is not.", 23, "One is done.");
        check("One is done; two is not.", 23, "One is done.");
        check("A single one that does not fit at all", 20, "A single one that…");
        check("一つ。二つ。", 6, "一つ。二つ。");
        check("一つ。二つ。", 5, "一つ。");
    }
}
